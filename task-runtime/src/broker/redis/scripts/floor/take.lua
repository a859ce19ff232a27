-- floor/take: the least that a claim can be.
-- KEYS: jobs list on_loan
-- ARGV: now or '' (not used), how many
-- Returns ids, payloads.
local ids = redis.call('LPOP', list, ARGV[2])
if not ids then
  return {{}, {}}
end
redis.call('SADD', on_loan, unpack(ids))
return {ids, redis.call('HMGET', jobs, unpack(ids))}
