-- now: milliseconds by the server's clock.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- A whole number as text; Lua's own form loses digits from 2^53 / 10 on.
local function int(number)
  return string.format('%.0f', number)
end
