-- now: milliseconds by the server's clock, or by the one that a test gave in ARGV[1].
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end

-- A whole number as text; Lua's own form loses digits from 2^53 / 10 on.
local function int(number)
  return string.format('%.0f', number)
end
