-- fsck/beside: a page of what stands beside jobs: state, watched, asked or marks.
-- KEYS: jobs state watched asked marks dead parked
-- ARGV: now or '', repair (0, 1), key (state, watched, asked, marks), cursor
-- Returns {cursor, findings, ids marked as cancelled, whose entry in a list is for the caller to look for}.
local repair, name, count = ARGV[2] == '1', ARGV[3], 50
local page, marked = nil, {}
if name == 'state' or name == 'marks' then
  page = redis.call('HSCAN', name == 'state' and state or marks, ARGV[4], 'COUNT', count)
else
  page = redis.call('SSCAN', name == 'watched' and watched or asked, ARGV[4], 'COUNT', count)
end

local function leftover(id)
  find('l', id, repair)
  if repair then
    if name == 'state' then
      redis.call('HDEL', state, id)
    elseif name == 'marks' then
      redis.call('HDEL', marks, id)
    else
      redis.call('SREM', name == 'watched' and watched or asked, id)
    end
  end
end

local function look_at_mark(id, mark)
  local envelope = kind(id) == 'e'
  local member = string.match(mark, '^parked (.*)$')
  if member then
    if not envelope or not redis.call('ZSCORE', parked, member) then
      leftover(id)
    end
  elseif mark ~= 'cancelled' then
    find('x', id, false)
  elseif envelope then
    leftover(id)
  else
    marked[#marked + 1] = id
  end
end

for i = 1, #page[2], (name == 'state' or name == 'marks') and 2 or 1 do
  local id = page[2][i]
  if name == 'marks' then
    look_at_mark(id, page[2][i + 1])
  elseif kind(id) ~= 'e' or name ~= 'state' and redis.call('ZSCORE', dead, id) then
    leftover(id)
  end
end
return {page[1], found, marked}
