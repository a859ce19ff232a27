-- unlock: gives a lock back that is held with this token; its last number is remembered as long as before.
-- KEYS: lock
-- ARGV: token
-- Returns 1, or 0 when it was not held with it.
local held = redis.call('HMGET', lock, 'token', 'until')
if held[1] ~= ARGV[1] or tonumber(held[2]) <= now then
  return 0
end
local memory = redis.call('PTTL', lock) - (held[2] - now)
redis.call('HDEL', lock, 'token', 'until')
redis.call('PEXPIRE', lock, int(math.max(memory, 0)))
return 1
