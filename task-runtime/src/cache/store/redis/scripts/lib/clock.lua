-- now_us, now: microseconds and milliseconds by the server's clock.
local time = redis.call('TIME')
local now_us = time[1] * 1000000 + time[2]
local now = math.floor(now_us / 1000)

-- A whole number as text; Lua's own form loses digits from 2^53 / 10 on.
local function int(number)
  return string.format('%.0f', number)
end
