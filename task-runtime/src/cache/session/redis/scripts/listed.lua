-- listed: the sessions that a user may have, the one that was seen last first.
-- KEYS: sessions
-- ARGV: most
-- Returns {handle, ms since it was seen, …}.
local listed = redis.call('ZRANGE', sessions, 0, tonumber(ARGV[1]) - 1, 'REV', 'WITHSCORES')
for i = 2, #listed, 2 do
  listed[i] = int(now - tonumber(listed[i]))
end
return listed
