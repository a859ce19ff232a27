-- wake_up(n): at most n wake tokens, never more than 8 in all, none while the queue is paused.
-- Needs KEYS: wake meta.
local function wake_up(n)
  if n <= 0 or redis.call('HEXISTS', meta, 'paused') == 1 then
    return
  end
  n = math.min(n, 8 - redis.call('LLEN', wake))
  if n > 0 then
    local tokens = {}
    for i = 1, n do
      tokens[i] = '1'
    end
    redis.call('RPUSH', wake, unpack(tokens))
  end
end
