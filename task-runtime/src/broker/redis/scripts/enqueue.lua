-- enqueue: new jobs → ready or scheduled. What is known by its id is left alone.
-- The lists come before `jobs`: a script that ends in the middle leaves entries without an
-- envelope, which are dropped when claimed, and never an envelope that no list holds.
-- KEYS: jobs finished marks scheduled wake meta ready:*
-- ARGV: now or '', ms since the first send or '', then of each job: id, priority,
--       due ('' now, '+ms' from now, or ms since 1970), envelope
-- Returns of each job: 1 new, 2 existing, 3 ended, 4 unknown.
local ids = {}
for i = 3, #ARGV, 4 do
  ids[#ids + 1] = ARGV[i]
end
local ended = redis.call('HMGET', finished, unpack(ids))
local there = redis.call('HMGET', jobs, unpack(ids))
local marked = redis.call('HMGET', marks, unpack(ids))
local again, unknown = tonumber(ARGV[2]), false
if again then
  local forgotten = tonumber(redis.call('HGET', meta, 'forgotten') or 0)
  -- A second more than the sender says, for the way of its first request.
  unknown = forgotten > now - again - 1000
end

local answers, seen, lists, later, envelopes, new_ready = {}, {}, {}, {}, {}, 0
local earliest
for i, id in ipairs(ids) do
  local at = 3 + (i - 1) * 4
  if ended[i] or marked[i] == 'cancelled' then
    answers[i] = 3
  elseif there[i] or seen[id] then
    answers[i] = 2
  elseif unknown then
    answers[i] = 4
  else
    answers[i], seen[id] = 1, true
    local priority, due = tonumber(ARGV[at + 1]), ARGV[at + 2]
    local ms = string.sub(due, 1, 1) == '+' and now + tonumber(string.sub(due, 2)) or tonumber(due)
    if due == '' or ms <= now then
      local list = lists[priority] or {}
      list[#list + 1] = id
      lists[priority] = list
      new_ready = new_ready + 1
    else
      local score = ms * 10 + 9 - priority
      later[#later + 1] = int(score)
      later[#later + 1] = id
      earliest = math.min(earliest or score, score)
    end
    envelopes[#envelopes + 1] = id
    envelopes[#envelopes + 1] = ARGV[at + 3]
  end
end

for priority, list in pairs(lists) do
  redis.call('RPUSH', ready[priority], unpack(list))
end
local sooner = false
if earliest then
  local first = redis.call('ZRANGE', scheduled, 0, 0, 'WITHSCORES')[2]
  sooner = not first or earliest < tonumber(first)
  redis.call('ZADD', scheduled, unpack(later))
end
if #envelopes > 0 then
  redis.call('HSET', jobs, unpack(envelopes))
end
wake_up(new_ready + (sooner and 1 or 0))
return answers
