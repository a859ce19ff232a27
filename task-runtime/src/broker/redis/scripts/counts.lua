-- counts: how many jobs of a queue are where. What runs is counted by the caller.
-- KEYS: jobs scheduled parked dead steps meta
-- ARGV: now or ''
-- Returns {jobs, scheduled, parked, dead, finished, workers, paused}.
local finished = math.max(0, done_facts() + (redis.call('HGET', meta, 'kept') or 0))
return {
  redis.call('HLEN', jobs), redis.call('ZCARD', scheduled), redis.call('ZCARD', parked),
  redis.call('ZCARD', dead), finished, redis.call('HLEN', steps),
  redis.call('HEXISTS', meta, 'paused'),
}
