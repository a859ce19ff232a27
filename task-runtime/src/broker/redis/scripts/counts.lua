-- counts: how many jobs of a queue are where. What runs is counted by the caller.
-- KEYS: jobs scheduled parked dead finished steps meta
-- ARGV: now or ''
-- Returns {jobs, scheduled, parked, dead, finished, workers, paused}.
return {
  redis.call('HLEN', jobs), redis.call('ZCARD', scheduled), redis.call('ZCARD', parked),
  redis.call('ZCARD', dead), redis.call('HLEN', finished), redis.call('HLEN', steps),
  redis.call('HEXISTS', meta, 'paused'),
}
