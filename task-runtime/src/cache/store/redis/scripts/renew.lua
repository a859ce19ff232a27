-- renew: lets a lock live on that is held with this token.
-- KEYS: lock
-- ARGV: token, time to live in ms from now on
-- Returns 1, or 0 when it is not held with it.
local held = redis.call('HMGET', lock, 'token', 'until')
if held[1] ~= ARGV[1] or tonumber(held[2]) <= now then
  return 0
end
local left = redis.call('PTTL', lock) - (held[2] - now)
redis.call('HSET', lock, 'until', int(now + ARGV[2]))
redis.call('PEXPIRE', lock, int(math.max(left, 0) + ARGV[2]))
return 1
