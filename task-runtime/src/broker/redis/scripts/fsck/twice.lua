-- fsck/twice: whether one id stands in line or on loan more than once, as far as that can be told of
-- 20,000 entries from each end of a list. It stays on loan, else where it is claimed first.
-- KEYS: jobs workers few alone ready:* others:*
-- ARGV: now or '', repair (0, 1), id, then the incarnations whose running sets are `others`
-- Returns the number of places beyond the first.
local repair, id, MOST = ARGV[2] == '1', ARGV[3], 20000
local places = 0
-- Those that can make turns first.
local incarnations = {}
for i = 4, #ARGV do
  local ends = tonumber(redis.call('ZSCORE', workers, ARGV[i]) or nil)
  table.insert(incarnations, ends and ends > 0 and 1 or #incarnations + 1, others[i - 3])
end
for _, running in ipairs(incarnations) do
  if redis.call('SISMEMBER', running, id) == 1 then
    places = places + 1
    if places > 1 and repair then
      redis.call('SREM', running, id)
    end
  end
end

local function look_at(list)
  local length = redis.call('LLEN', list)
  local at = redis.call('LPOS', list, id, 'COUNT', 0, 'MAXLEN', MOST)
  if length > MOST then
    for _, place in ipairs(redis.call('LPOS', list, id, 'RANK', -1, 'COUNT', 0, 'MAXLEN', math.min(MOST, length - MOST))) do
      at[#at + 1] = place
    end
  end
  table.sort(at)
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
  look_at(ready[p])
end
look_at(few)
look_at(alone)
return math.max(0, places - 1)
