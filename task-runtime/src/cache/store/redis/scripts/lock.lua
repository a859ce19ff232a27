-- lock: takes a lock that is free, or was taken with this token. Its fencing number is larger than each before: one more
-- than the last, or the time, if the last is forgotten.
-- KEYS: lock
-- ARGV: token, time to live in ms, for how long the last number is remembered in ms
-- Returns the fencing number as text, or false when another has it.
local held = redis.call('HMGET', lock, 'until', 'fence', 'token')
if held[1] and tonumber(held[1]) > now then
  return held[3] == ARGV[1] and held[2]
end
local fence = math.max(now_us, (tonumber(held[2]) or 0) + 1)
redis.call('HSET', lock, 'token', ARGV[1], 'until', int(now + ARGV[2]), 'fence', int(fence))
redis.call('PEXPIRE', lock, int(ARGV[2] + ARGV[3]))
return int(fence)
