-- tag: gives the number of a tag, which has the given one from now on if it has none, and lets it live long enough.
-- KEYS: tag
-- ARGV: a number, time to live in ms or ''
-- Returns the number as text.
local number, left = redis.call('GET', tag), redis.call('PTTL', tag)
if not number then
  number, left = ARGV[1], 0
  redis.call('SET', tag, number)
end
if ARGV[2] == '' then
  redis.call('PERSIST', tag)
elseif left >= 0 and left < tonumber(ARGV[2]) then
  redis.call('PEXPIRE', tag, ARGV[2])
end
return number
