-- promote(limit): due jobs, at most limit, → ready of their priority; answers how many.
-- The score is due ms × 10 + (9 − priority), so that of what is due together the urgent go first.
-- Needs KEYS: scheduled ready:*.
local function promote(limit)
  local due = redis.call('ZRANGEBYSCORE', scheduled, '-inf', now * 10 + 9, 'WITHSCORES', 'LIMIT', 0, limit)
  if #due == 0 then
    return 0
  end
  local by_priority, ids = {}, {}
  for i = 1, #due, 2 do
    local priority = 9 - tonumber(due[i + 1]) % 10
    local list = by_priority[priority] or {}
    list[#list + 1] = due[i]
    by_priority[priority] = list
    ids[#ids + 1] = due[i]
  end
  for priority, list in pairs(by_priority) do
    redis.call('RPUSH', ready[priority], unpack(list))
  end
  redis.call('ZREM', scheduled, unpack(ids))
  return #ids
end
