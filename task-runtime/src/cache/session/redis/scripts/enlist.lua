-- enlist: adds a session to those of a user, or says that it was seen now. The list outlives its sessions: their ends
-- are moved on before theirs is told here.
-- KEYS: sessions
-- ARGV: handle, ttl ms, most
-- Returns {handles that are one too many, the ones seen longest ago}; they stay until they have ended.
redis.call('ZADD', sessions, int(now), ARGV[1])
local wanted = 2 * tonumber(ARGV[2])
if redis.call('PTTL', sessions) < wanted then
  redis.call('PEXPIRE', sessions, int(wanted))
end
local over = redis.call('ZCARD', sessions) - tonumber(ARGV[3])
if over <= 0 then
  return {}
end
local answer = {}
for _, handle in ipairs(redis.call('ZRANGE', sessions, 0, math.min(over, 1000))) do
  if handle ~= ARGV[1] and #answer < over then
    answer[#answer + 1] = handle
  end
end
return answer
