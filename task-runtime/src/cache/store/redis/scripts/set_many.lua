-- set_many: writes entries, which all have the same time to live.
-- KEYS:
-- ARGV: time to live in ms or '', an entry for each key
-- Returns true.
for at, key in ipairs(KEYS) do
  if ARGV[1] == '' then
    redis.call('SET', key, ARGV[at + 1])
  else
    redis.call('SET', key, ARGV[at + 1], 'PX', ARGV[1])
  end
end
return true
