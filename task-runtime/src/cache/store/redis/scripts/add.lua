-- add: counts the whole number of an entry up; its head and its end stay.
-- KEYS: key
-- ARGV: by how much
-- Returns the sum as text, 'missing', or 'other' for what is no whole number or does not fit.
local held = redis.call('GET', key)
if not held then
  return 'missing'
end
-- As cache/entry.rs writes it: 12 bytes, of which the last two say how many follow; digits are neither compressed nor bytes.
local magic, form, extra_high, extra_low = held:byte(1), held:byte(2), held:byte(11, 12)
if magic ~= 193 or not extra_low or (form % 16 ~= 0 and form % 16 ~= 2) then
  return 'other'
end
local start = 12 + extra_high * 256 + extra_low
local digits = held:sub(start + 1)
if not digits:match('^%-?%d+$') then
  return 'other'
end
-- The server adds: a number of Lua loses digits from 2^53 on.
redis.call('SET', key, digits, 'KEEPTTL')
local added = redis.pcall('INCRBY', key, ARGV[1])
if type(added) == 'table' then
  redis.call('SET', key, held, 'KEEPTTL')
  return 'other'
end
local sum = redis.call('GET', key)
redis.call('SET', key, held:sub(1, start) .. sum, 'KEEPTTL')
return sum
