-- fsck/twice: whether one id stands in line or on loan more than once. It stays on loan, else where it is
-- claimed first. Of a list 20,000 entries from each end are looked at, and where the caller has met it.
-- KEYS: jobs workers few alone ready:* others:*
-- ARGV: now or '', repair (0, 1), id, how many places, of each a list (few, alone, 0 to 9) and the number of
--       an entry from the head about which it was met, then the incarnations whose running sets are `others`
-- Returns {number of places beyond the first, whether it is somewhere, places where it was not met again,
--       whether every list was looked at as a whole}.
local repair, id, MOST = ARGV[2] == '1', ARGV[3], 20000
-- A page of a list, and by how much it can have moved before and since.
local PAGE, SHIFTS = 100, {100, 2000}
local hints = tonumber(ARGV[4])
local places, missed, whole = 0, 0, 1
-- Those that can make turns first.
local incarnations, given = {}, 4 + 2 * hints
for i = given + 1, #ARGV do
  local ends = tonumber(redis.call('ZSCORE', workers, ARGV[i]) or nil)
  table.insert(incarnations, ends and ends > 0 and 1 or #incarnations + 1, others[i - given])
end
for _, running in ipairs(incarnations) do
  if redis.call('SISMEMBER', running, id) == 1 then
    places = places + 1
    if places > 1 and repair then
      redis.call('SREM', running, id)
    end
  end
end

-- The places about a number at which the id stands.
local function about(list, number)
  for _, shift in ipairs(SHIFTS) do
    local first, there = math.max(0, number - shift), {}
    for i, entry in ipairs(redis.call('LRANGE', list, first, number + PAGE + shift)) do
      if entry == id then
        there[#there + 1] = first + i - 1
      end
    end
    if #there > 0 then
      return there
    end
  end
  missed = missed + 1
  return {}
end

local function look_at(name, list)
  local length = redis.call('LLEN', list)
  local found = redis.call('LPOS', list, id, 'COUNT', 0, 'MAXLEN', MOST)
  local function add(more)
    for _, place in ipairs(more) do
      found[#found + 1] = place
    end
  end
  if length > MOST then
    add(redis.call('LPOS', list, id, 'RANK', -1, 'COUNT', 0, 'MAXLEN', math.min(MOST, length - MOST)))
  end
  if length > 2 * MOST then
    whole = 0
    for i = 5, given, 2 do
      if ARGV[i] == name then
        add(about(list, tonumber(ARGV[i + 1])))
      end
    end
  end
  table.sort(found)
  local at = {}
  for _, place in ipairs(found) do
    if place ~= at[#at] then
      at[#at + 1] = place
    end
  end
  local first = places == 0 and 2 or 1
  places = places + #at
  if repair then
    local beyond = {}
    for i = #at, first, -1 do
      beyond[#beyond + 1] = at[i]
    end
    take_out(list, beyond)
  end
end
for p = 9, 0, -1 do
  look_at(tostring(p), ready[p])
end
look_at('few', few)
look_at('alone', alone)
return {math.max(0, places - 1), places > 0 and 1 or 0, missed, whole}
