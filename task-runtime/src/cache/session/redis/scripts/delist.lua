-- delist: takes sessions out of those of a user.
-- KEYS: sessions
-- ARGV: handles, 1000 at most
-- Returns how many were taken out.
return redis.call('ZREM', sessions, unpack(ARGV))
