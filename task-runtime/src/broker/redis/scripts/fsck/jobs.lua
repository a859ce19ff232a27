-- fsck/jobs: a page of the jobs: those that are in no sorted set, and so in a list or on loan; and those
-- that have ended.
-- KEYS: jobs marks scheduled dead parked
-- ARGV: now or '', cursor, about how many
-- Returns {cursor, bytes that were read, number of envelopes, ids of those in no sorted set, ids that ended}.
local page = redis.call('HSCAN', jobs, ARGV[2], 'COUNT', ARGV[3])
local bytes, ids, ended, elsewhere = 0, {}, {}, {}
for i = 1, #page[2], 2 do
  local value = page[2][i + 1]
  bytes = bytes + #value
  local list = is_record(value) and ended or ids
  list[#list + 1] = page[2][i]
end
if #ids > 0 then
  local due, died = redis.call('ZMSCORE', scheduled, unpack(ids)), redis.call('ZMSCORE', dead, unpack(ids))
  local marked = redis.call('HMGET', marks, unpack(ids))
  for i, id in ipairs(ids) do
    local member = marked[i] and string.match(marked[i], '^parked (.*)$')
    if not (due[i] or died[i] or member and redis.call('ZSCORE', parked, member)) then
      elsewhere[#elsewhere + 1] = id
    end
  end
end
return {page[1], bytes, #ids, elsewhere, ended}
