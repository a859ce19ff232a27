-- enqueue: new jobs → ready or scheduled. What is known by its id is left alone.
-- The lists come before `jobs`: a script that ends in the middle leaves entries without an
-- envelope, which are dropped when claimed, and never an envelope that no list holds.
-- KEYS: jobs marks scheduled wake meta ready:*
-- ARGV: now or '', ms since the first send or '', then groups of jobs: their count, priority and due
--       ('' now, '+ms' from now, or ms since 1970), and pairs of id and envelope
-- Returns a letter for each job: n new, x existing, e ended, u unknown.
local ids, groups, n, at = {}, {}, 0, 3
while at <= #ARGV do
  local count = tonumber(ARGV[at])
  groups[#groups + 1] = {first = at + 3, last = at + 2 + 2 * count, priority = tonumber(ARGV[at + 1]), due = ARGV[at + 2]}
  for i = at + 3, at + 2 + 2 * count, 2 do
    n = n + 1
    ids[n] = ARGV[i]
  end
  at = at + 3 + 2 * count
end
local there = redis.call('HMGET', jobs, unpack(ids))
local marked = redis.call('EXISTS', marks) == 1 and redis.call('HMGET', marks, unpack(ids))
local again, unknown = tonumber(ARGV[2]), false

local function none_there()
  for i = 1, n do
    if there[i] then
      return false
    end
  end
  return true
end

-- Mostly all are new, ready and of one priority: then there is nothing to sort out, unless an id came twice.
if #groups == 1 and groups[1].due == '' and not (marked or again) and none_there() then
  local list = ready[groups[1].priority]
  redis.call('RPUSH', list, unpack(ids))
  if redis.call('HSET', jobs, unpack(ARGV, groups[1].first, groups[1].last)) == n then
    wake_up(n)
    return string.rep('n', n)
  end
  redis.call('RPOP', list, n)
end

if again then
  local forgotten = tonumber(redis.call('HGET', meta, 'forgotten') or 0)
  -- A second more than the sender says, for the way of its first request.
  unknown = forgotten > now - again - 1000
end

local answers, seen, envelopes, job, new, new_ready = {}, {}, {}, 0, 0, 0
local earliest
for _, group in ipairs(groups) do
  local fresh, count = {}, 0
  for i = group.first, group.last, 2 do
    job = job + 1
    local id = ids[job]
    if is_record(there[job]) or marked and marked[job] == 'cancelled' then
      answers[job] = 'e'
    elseif there[job] or seen[id] then
      answers[job] = 'x'
    elseif unknown then
      answers[job] = 'u'
    else
      answers[job], seen[id] = 'n', true
      count = count + 1
      fresh[count] = id
      envelopes[2 * new + 1], envelopes[2 * new + 2] = id, ARGV[i + 1]
      new = new + 1
    end
  end
  if count > 0 then
    local due = group.due
    local ms = string.sub(due, 1, 1) == '+' and now + tonumber(string.sub(due, 2)) or tonumber(due)
    if due == '' or ms <= now then
      redis.call('RPUSH', ready[group.priority], unpack(fresh))
      new_ready = new_ready + count
    else
      local score = ms * 10 + 9 - group.priority
      group.later = {}
      for i, id in ipairs(fresh) do
        group.later[2 * i - 1], group.later[2 * i] = score, id
      end
      earliest = math.min(earliest or score, score)
    end
  end
end

local sooner = false
if earliest then
  local first = redis.call('ZRANGE', scheduled, 0, 0, 'WITHSCORES')[2]
  sooner = not first or earliest < tonumber(first)
  for _, group in ipairs(groups) do
    if group.later then
      redis.call('ZADD', scheduled, unpack(group.later))
    end
  end
end
if new > 0 then
  redis.call('HSET', jobs, unpack(envelopes))
end
wake_up(new_ready + (sooner and 1 or 0))
return table.concat(answers)
