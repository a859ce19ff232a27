-- cancel: what has not started ends as cancelled; what runs is asked to stop. An entry in a ready
-- list stays until it is popped, because taking it out would read the whole list: a mark keeps
-- the id from being used again until then.
-- KEYS: jobs state marks scheduled parked dead workers asked done kept watched meta others:*
-- ARGV: now or '', channel, id, then the incarnations whose running sets are `others`
-- Returns a word, or {incarnations} when those given are not those there are.
local id = ARGV[3]
local job = stored(id)
if is_record(job) then
  return 'ended'
end
local mark = redis.call('HGET', marks, id)
if mark == 'cancelled' then
  return 'cancelled'
elseif not job then
  return 'unknown'
elseif redis.call('ZSCORE', dead, id) then
  return 'dead'
end

local function cancelled()
  finish(record({cancelled_group({id})}))
  write_news()
end
if redis.call('ZSCORE', scheduled, id) then
  cancelled()
  redis.call('ZREM', scheduled, id)
  return 'cancelled'
elseif mark then
  cancelled()
  redis.call('ZREM', parked, string.sub(mark, 8))
  redis.call('HDEL', marks, id)
  return 'cancelled'
end
local there = incarnations()
local given = {}
for i = 4, #ARGV do
  given[ARGV[i]] = others[i - 3]
end
for _, incarnation in ipairs(there) do
  if not given[incarnation] then
    return there
  elseif redis.call('SISMEMBER', given[incarnation], id) == 1 then
    redis.call('SADD', asked, id)
    return 'asked'
  end
end
redis.call('HSET', marks, id, 'cancelled')
cancelled()
return 'cancelled'
