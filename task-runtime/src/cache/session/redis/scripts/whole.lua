-- whole: every field of a session that has not ended. Its bounds are those of `write`.
-- KEYS: session
-- Returns a word, or {'there', created, seen, user, own ttl, 0, then name and value of each field}.
local head = redis.call('HMGET', session, 'created', 'seen', 'user', 'ttl', 'ended')
if not head[1] then
  return head[5] and 'ended' or 'unknown'
end
local all = redis.call('HGETALL', session)
local ends = {}
for i = 1, #all, 2 do
  if string.sub(all[i], 1, 1) == '!' then
    ends[string.sub(all[i], 2)] = tonumber(all[i + 1])
  end
end
local answer = {'there', head[1], head[2], head[3], head[4], 0}
for i = 1, #all, 2 do
  local name = string.sub(all[i], 2)
  if string.sub(all[i], 1, 1) == '.' and not (ends[name] and ends[name] <= now) then
    answer[#answer + 1] = name
    answer[#answer + 1] = all[i + 1]
  end
end
return answer
