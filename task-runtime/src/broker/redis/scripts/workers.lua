-- workers: the incarnations of a queue and the ends of their leases, at most 1000.
-- KEYS: workers
-- ARGV: now or ''
-- Returns {now, incarnation, end, incarnation, end, …}.
local list = redis.call('ZRANGE', workers, 0, 999, 'WITHSCORES')
table.insert(list, 1, int(now))
return list
