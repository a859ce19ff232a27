-- begin: registers an incarnation; the only script that does.
-- KEYS: workers steps
-- ARGV: now or '', incarnation, lease ms, most incarnations
-- Returns 0, or how many there are already when that is too many.
if redis.call('ZSCORE', workers, ARGV[2]) then
  return 0
end
local there = redis.call('ZCARD', workers)
if there >= tonumber(ARGV[4]) then
  return there
end
redis.call('ZADD', workers, now + tonumber(ARGV[3]), ARGV[2])
redis.call('HSET', steps, ARGV[2], 0)
return 0
