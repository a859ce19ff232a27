-- begin: registers an incarnation; the only script that does.
-- KEYS: workers steps
-- ARGV: now or '', incarnation, lease ms
if not redis.call('ZSCORE', workers, ARGV[2]) then
  redis.call('ZADD', workers, int(now + tonumber(ARGV[3])), ARGV[2])
  redis.call('HSET', steps, ARGV[2], 0)
end
return 1
