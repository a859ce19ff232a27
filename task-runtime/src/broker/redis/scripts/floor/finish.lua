-- floor/finish: the least that a settlement can be.
-- KEYS: jobs on_loan
-- ARGV: now or '' (not used), ids
redis.call('SREM', on_loan, unpack(ARGV, 2))
redis.call('HDEL', jobs, unpack(ARGV, 2))
