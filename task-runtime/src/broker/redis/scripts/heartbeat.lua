-- heartbeat: moves the lease of an incarnation on. A plain ZADD, so that a clock that was set back
-- still changes the score, and so that a lease comes back which someone deleted: it is there as long as
-- the step is.
-- KEYS: workers steps asked running
-- ARGV: now or '', incarnation, lease ms
-- Returns {-1} when the lease is lost, else {last step, asked ids of its running jobs}.
local last = redis.call('HGET', steps, ARGV[2])
if not last then
  return {-1}
end
redis.call('ZADD', workers, now + tonumber(ARGV[3]), ARGV[2])
return {tonumber(last), redis.call('SINTER', asked, running)}
