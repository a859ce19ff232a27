-- sweep: retention for queues where nothing ends, and the end of parked jobs that no worker knows.
-- KEYS: jobs state asked done kept dead watched parked parked_tasks marks meta
-- ARGV: now or '', channel, retention (finished, age ms, dead, dead age ms), unknown grace ms
-- Returns how many parked jobs are dead now; at most 100.
local retention = {tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])}
local seen_before = now - tonumber(ARGV[7])
trim(retention, 100)
trim_dead(retention, 100)
write_news()

local buried = {}
for _, task in ipairs(redis.call('HRANDFIELD', parked_tasks, 16)) do
  if tonumber(redis.call('HGET', parked_tasks, task) or now) <= seen_before then
    local room = 100 - #buried
    local members = redis.call('ZRANGEBYLEX', parked, '[' .. task .. '\0', '[' .. task .. '\0\255', 'LIMIT', 0, room)
    for _, member in ipairs(members) do
      -- What has no id, someone else wrote.
      local id = string.match(member, '^%Z*%z%d%z(.+)$')
      if id then
        redis.call('ZADD', dead, now, id)
        redis.call('HDEL', marks, id)
        buried[#buried + 1] = id
      end
      redis.call('ZREM', parked, member)
    end
    if #members < room then
      redis.call('HDEL', parked_tasks, task)
    else
      break
    end
  end
end
tell(buried)
return #buried
