-- begin: registers an incarnation; the only script that does.
-- KEYS: workers steps meta
-- ARGV: now or '', incarnation, lease ms, most incarnations
-- Returns the number of its last turn, or how many there are already, negated, when that is too many.
if redis.call('ZSCORE', workers, ARGV[2]) then
  return tonumber(redis.call('HGET', steps, ARGV[2]) or 0) or 0
end
local there = redis.call('ZCARD', workers)
if there >= tonumber(ARGV[4]) then
  return -there
end
local first = first_step()
redis.call('ZADD', workers, now + tonumber(ARGV[3]), ARGV[2])
redis.call('HSET', steps, ARGV[2], int(first))
return first
