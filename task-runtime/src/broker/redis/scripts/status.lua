-- status: where a job is.
-- KEYS: jobs state marks scheduled dead workers others:*
-- ARGV: now or '', id, then the incarnations whose running sets are `others`
-- Returns {word, record or false, due ms or -1}, or {'workers', incarnations} when those given
--       are not those there are.
local id = ARGV[2]
local job = stored(id)
local record = record_in(job)
if record then
  return {'ended', record, -1}
end
local mark = redis.call('HGET', marks, id)
if mark == 'cancelled' then
  return {'ended', record_in(CANCELLED), -1}
elseif not job then
  return {'unknown', false, -1}
end
local state_record = beside(id)
local due = redis.call('ZSCORE', scheduled, id)
if mark then
  return {'parked', state_record, -1}
elseif due then
  return {'scheduled', state_record, math.floor(tonumber(due) / 10)}
elseif redis.call('ZSCORE', dead, id) then
  return {'dead', state_record, -1}
end
local there = incarnations()
local given = {}
for i = 3, #ARGV do
  given[ARGV[i]] = others[i - 2]
end
for _, incarnation in ipairs(there) do
  if not given[incarnation] then
    return {'workers', there, -1}
  elseif redis.call('SISMEMBER', given[incarnation], id) == 1 then
    return {'running', false, -1}
  end
end
return {'ready', false, -1}
