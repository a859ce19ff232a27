-- pause: stops or resumes claiming from a queue; resuming wakes workers.
-- KEYS: meta wake
-- ARGV: now or '', paused (0, 1)
if ARGV[2] == '1' then
  redis.call('HSET', meta, 'paused', now)
else
  redis.call('HDEL', meta, 'paused')
  wake_up(8)
end
return 1
