-- end: ends a session, and remembers for a while that it is no more, so that no late request begins it anew.
-- KEYS: session
-- ARGV: tombstone ms, '' or '=USER' whose session it must be
-- Returns a word, or {'there', created, seen, user, own ttl, 0}.
local head = redis.call('HMGET', session, 'created', 'seen', 'user', 'ttl', 'ended')
if not head[1] then
  return head[5] and 'ended' or 'unknown'
elseif ARGV[2] ~= '' and '=' .. (head[3] or '') ~= ARGV[2] then
  return 'unknown'
end
bury(session, ARGV[1])
return {'there', head[1], head[2], head[3], head[4], 0}
