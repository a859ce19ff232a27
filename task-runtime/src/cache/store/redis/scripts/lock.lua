-- lock: takes a lock that is free, or was taken with this token, and lets it live for its time from now on. Its fencing
-- number is larger than each before: one more than the last, or the time, if the last is forgotten. Who has it keeps it.
-- KEYS: lock
-- ARGV: token, time to live in ms, for how long the last number is remembered in ms
-- Returns the fencing number as text, or false when another has it.
local held = redis.call('HMGET', lock, 'until', 'fence', 'token')
local fence = held[2]
if not held[1] or tonumber(held[1]) <= now then
  fence = int(math.max(now_us, (tonumber(fence) or 0) + 1))
elseif held[3] ~= ARGV[1] then
  return false
end
redis.call('HSET', lock, 'token', ARGV[1], 'until', int(now + ARGV[2]), 'fence', fence)
redis.call('PEXPIRE', lock, int(ARGV[2] + ARGV[3]))
return fence
