-- watch: asks that the end of a job be told on the channel of endings, or gives it.
-- KEYS: jobs state marks dead watched
-- ARGV: now or '', id
-- Returns {word, record or false}.
local id = ARGV[2]
local job = stored(id)
local record = record_in(job)
if record then
  return {'ended', record}
elseif redis.call('HGET', marks, id) == 'cancelled' then
  return {'ended', record_in(CANCELLED)}
elseif not job then
  return {'unknown', false}
elseif redis.call('ZSCORE', dead, id) then
  return {'dead', beside(id)}
end
redis.call('SADD', watched, id)
return {'waiting', false}
