-- `done`: which end records are kept by number and age, in the order of their ends. One entry for
-- those of one call: 'ms NUL number of the first NUL of the last NUL id NUL id …'. Numbers go up by one
-- along the list, so that its two ends tell how many there are.
local function done_entry(at)
  local entry = redis.call('LINDEX', done, at)
  if not entry then
    return nil
  end
  local ms, first, last, names = string.match(entry, '^(%d+)%z(%d+)%z(%d+)%z(.*)$')
  return {ms = tonumber(ms), first = tonumber(first), last = tonumber(last), names = names}
end

local function done_count(oldest, newest)
  return oldest and newest.last - oldest.first + 1 or 0
end
