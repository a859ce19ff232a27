-- fsck/index: a page of scheduled, dead or parked. Where a job stands twice it stays where it runs first.
-- KEYS: jobs marks scheduled dead parked parked_tasks
-- ARGV: now or '', repair (0, 1), index (scheduled, dead, parked), cursor
-- Returns {cursor, findings, ids of parked jobs that were not marked as such}.
local repair, name = ARGV[2] == '1', ARGV[3]
local index = name == 'scheduled' and scheduled or name == 'dead' and dead or parked
local page, unmarked = redis.call('ZSCAN', index, ARGV[4], 'COUNT', 50), {}

local function remove(flaw, member, what)
  find(flaw, what, repair)
  if repair then
    redis.call('ZREM', index, member)
  end
end

local function look_at_parked(member, id, task)
  local mark, now_known = redis.call('HGET', marks, id), redis.call('HEXISTS', parked_tasks, task) == 1
  local parked_as = mark and string.match(mark, '^parked (.*)$')
  if parked_as and parked_as ~= member and redis.call('ZSCORE', parked, parked_as) then
    remove('t', member, id)
  elseif redis.call('ZSCORE', scheduled, id) then
    remove('t', member, id)
    if repair and parked_as then
      redis.call('HDEL', marks, id)
    end
  elseif parked_as ~= member or not now_known then
    find('u', id, repair)
    unmarked[#unmarked + 1] = id
    if repair then
      redis.call('HSET', marks, id, 'parked ' .. member)
      redis.call('HSET', parked_tasks, task, now)
    end
  end
end

for i = 1, #page[2], 2 do
  local member = page[2][i]
  local task, id = nil, member
  if name == 'parked' then
    task, id = string.match(member, '^(%Z*)%z%d%z(.*)$')
  end
  if not id then
    find('x', member, false)
  else
    local what = kind(id)
    if what ~= 'e' then
      remove(what == 'r' and 'e' or 'd', member, id)
    elseif task then
      look_at_parked(member, id, task)
    elseif name == 'dead' then
      local parked_as = string.match(redis.call('HGET', marks, id) or '', '^parked (.*)$')
      if redis.call('ZSCORE', scheduled, id) or parked_as and redis.call('ZSCORE', parked, parked_as) then
        remove('t', member, id)
      end
    end
  end
end
return {page[1], found, unmarked}
