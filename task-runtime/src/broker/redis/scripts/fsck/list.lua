-- fsck/list: a page of one list, from its tail towards its head: entries leave at the head, so that
-- none which stays is missed, however many come at the tail meanwhile. What is in line is not in a
-- sorted set too.
-- KEYS: jobs marks scheduled dead parked few alone ready:*
-- ARGV: now or '', repair (0, 1), list (few, alone, 0 to 9), how many entries from the tail were
--       looked at before, the last of those
-- Returns {entries looked at or -1 when that was all, the last of them, findings, ids, the number of the last
--       from the head}.
local PAGE, SHIFTS, MAX_BYTES = 100, {100, 1000, 10000}, 1048576
local repair, name, passed, anchor = ARGV[2] == '1', ARGV[3], tonumber(ARGV[4]), ARGV[5]
local list = name == 'few' and few or name == 'alone' and alone or ready[tonumber(name)]

-- What came at the tail meanwhile has moved the last entry that was looked at.
local function moved_by()
  local from = 0
  for _, most in ipairs(SHIFTS) do
    local window = redis.call('LRANGE', list, -(passed + most), -(passed + from))
    for i = #window, 1, -1 do
      if window[i] == anchor then
        return from + #window - i
      end
    end
    from = most
  end
  return 0
end
if passed > 0 then
  passed = passed + moved_by()
end
local last = redis.call('LLEN', list) - passed - 1
if last < 0 then
  return {-1, '', found, {}, 0}
end
local first = math.max(0, last - PAGE + 1)
local entries, ids, bytes, at = redis.call('LRANGE', list, first, last), {}, 0, first
local marked = redis.call('HMGET', marks, unpack(entries))
local due, died = redis.call('ZMSCORE', scheduled, unpack(entries)), redis.call('ZMSCORE', dead, unpack(entries))

local removed = {}
for i = #entries, 1, -1 do
  local id = entries[i]
  local what, size = kind(id)
  at, bytes = first + i - 1, bytes + size
  if what ~= 'e' and marked[i] ~= 'cancelled' then
    find(what == 'r' and 'e' or 'd', id, repair)
    removed[#removed + 1] = at
  else
    ids[#ids + 1] = id
    only_here(id, marked[i], due[i], died[i], repair)
  end
  if bytes > MAX_BYTES then
    break
  end
end
if repair then
  take_out(list, removed)
end
passed = redis.call('LLEN', list) - at
return {at == 0 and -1 or passed, passed > 0 and redis.call('LINDEX', list, -passed) or '', found, ids, at}
