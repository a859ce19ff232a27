-- take_out(list, places): removes the entries at these places, which are counted from the head and go
-- from the last to the first. In a long list the place of each is taken by the last entry: to close the
-- gaps would take as long as the list is.
local SHORT_LIST = 10000
local function take_out(list, places)
  if #places > 0 and redis.call('LLEN', list) <= SHORT_LIST then
    for _, place in ipairs(places) do
      redis.call('LSET', list, place, '')
    end
    redis.call('LREM', list, 0, '')
    return
  end
  for _, place in ipairs(places) do
    if place < redis.call('LLEN', list) - 1 then
      redis.call('LSET', list, place, redis.call('LINDEX', list, -1))
    end
    redis.call('RPOP', list)
  end
end

