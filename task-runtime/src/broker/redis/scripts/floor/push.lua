-- floor/push: the least that an enqueue can be.
-- KEYS: jobs list
-- ARGV: now or '' (not used), then id and payload of each job
local ids = {}
for i = 2, #ARGV, 2 do
  ids[#ids + 1] = ARGV[i]
end
redis.call('HSET', jobs, unpack(ARGV, 2))
redis.call('RPUSH', list, unpack(ids))
