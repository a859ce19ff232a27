-- expire: gives a key another end, and tells which tags need to live as long.
-- KEYS: key
-- ARGV: PEXPIRE, PEXPIREAT or PERSIST, and what stands behind the key in that command
-- Returns what is left of its time, as PTTL says it, and the head of an entry that has tags or ''; false for no key.
local kind = redis.call('TYPE', key).ok
if kind == 'none' then
  return false
end
local head = ''
if kind == 'string' then
  -- As cache/entry.rs writes it: 12 bytes, of which the last two say how many follow before the value.
  local fixed = redis.call('GETRANGE', key, 0, 11)
  local magic, flags, extra_high, extra_low = fixed:byte(1), fixed:byte(2), fixed:byte(11, 12)
  if magic == 193 and extra_low and flags % 64 >= 32 then
    head = redis.call('GETRANGE', key, 0, 11 + extra_high * 256 + extra_low)
  end
end
redis.call(ARGV[1], key, unpack(ARGV, 2))
return {redis.call('PTTL', key), head}
