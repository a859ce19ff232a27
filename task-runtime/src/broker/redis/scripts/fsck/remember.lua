-- fsck/remember: end records that no note names, as the caller found: noted as ended now, so that they
-- are forgotten in their time.
-- KEYS: jobs done kept meta
-- ARGV: now or '', repair (0, 1), ids
-- Returns those that are end records.
local ids = {}
for i = 3, #ARGV do
  if kind(ARGV[i]) == 'r' then
    ids[#ids + 1] = ARGV[i]
  end
end
if #ids > 0 and ARGV[2] == '1' then
  local total, oldest = done_facts()
  redis.call('RPUSH', done, write_entry(now, ids, 1))
  note_done_facts(total + #ids, total > 0 and oldest or now)
  write_news()
end
return ids
