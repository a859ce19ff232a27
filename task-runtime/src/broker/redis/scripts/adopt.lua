-- adopt: the claims of an incarnation among the given ids, for one that never heard of them.
-- KEYS: jobs state running steps meta
-- ARGV: now or '', incarnation, ids
-- Returns claims: {id, envelope, state or false, token}; an envelope that is too long to run is ''.
local claims = {}
if not redis.call('HGET', steps, ARGV[2]) then
  return claims
end
for i = 3, #ARGV do
  local id = ARGV[i]
  local envelope = stored(id)
  if envelope and not is_record(envelope) and redis.call('SISMEMBER', running, id) == 1 then
    local token = math.max(tonumber(redis.call('HGET', meta, 'token') or 0) + 1, now * 1000)
    redis.call('HSET', meta, 'token', token)
    claims[#claims + 1] = {id, envelope, beside(id), int(token)}
  end
end
return claims
