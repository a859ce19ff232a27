-- read: some fields of a session. Moves its end on if that is due.
-- KEYS: session
-- ARGV: ttl ms of all or '' to move nothing, lifetime ms or 0, after which percent of the ttl, then the names of fields
-- Returns a word, or {'there', created, seen, user, own ttl, moved, a value or false for each name}.
local names = {'created', 'seen', 'told', 'user', 'ttl', 'ended'}
local few = #names
for i = 4, #ARGV do
  names[#names + 1] = '.' .. ARGV[i]
  names[#names + 1] = '!' .. ARGV[i]
end
local held = redis.call('HMGET', session, unpack(names))
local created, seen, moved = held[1], held[2], 0
if not created then
  return held[6] and 'ended' or 'unknown'
end
local ttl = tonumber(held[5] or ARGV[1])
if ARGV[1] ~= '' and is_due(held[3], ttl, tonumber(ARGV[3])) then
  touch(session, created, ttl, tonumber(ARGV[2]), true)
  seen, moved = int(now), 1
end
local answer = {'there', created, seen, held[4], held[5], moved}
for i = few + 1, #names, 2 do
  local ends = held[i + 1]
  answer[#answer + 1] = not (ends and tonumber(ends) <= now) and held[i]
end
return answer
