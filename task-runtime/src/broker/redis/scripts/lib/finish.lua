-- record(groups, retention): each group is {ids = …, pairs = {id, record, …}, keep = ms or ''}; the
-- records go to the finished ones, or are kept until their time. Answers all ids.
-- finish(ids, retention), afterwards: everything else of the jobs goes, and who watches is told.
-- Retention is {finished, age ms, dead, dead age ms}; without it everything is kept and nothing
-- trimmed, for only workers know what is to be kept.
-- Endings are told on the channel in ARGV[2].
--
-- What is to be forgotten together has one entry, not one for each job: in `done`
-- 'ms NUL number of the first NUL of the last NUL id NUL id …', in `kept` 'id NUL id …'. Numbers go
-- up by one along the list, so that its two ends tell how many there are.
-- Needs KEYS: jobs state asked finished done kept dead watched meta.
local channel = ARGV[2]
local FLOOR_MS, MAX_KEPT = 60000, 100000

local function done_entry(at)
  local entry = redis.call('LINDEX', done, at)
  if not entry then
    return nil
  end
  local ms, first, last, names = string.match(entry, '^(%d+)%z(%d+)%z(%d+)%z(.*)$')
  return {ms = tonumber(ms), first = tonumber(first), last = tonumber(last), names = names}
end

local function write_entry(ms, first, ids, from)
  local numbers = int(ms) .. '\0' .. int(first) .. '\0' .. int(first + #ids - from) .. '\0'
  return numbers .. table.concat(ids, '\0', from)
end

local function ids_in(names)
  local ids, n = {}, 0
  for id in string.gmatch(names, '[^%z]+') do
    n = n + 1
    ids[n] = id
  end
  return ids
end

-- Forgets the oldest of `done`, at most limit records: those beyond most, but none younger than the
-- floor unless the hard cap forces it, which is written down; and those that are older than aged.
-- Answers how many are left.
local function trim_done(most, aged, limit)
  local oldest, newest = done_entry(0), done_entry(-1)
  local total = oldest and newest.last - oldest.first + 1 or 0
  while oldest and limit > 0 do
    local there, capped = oldest.last - oldest.first + 1, total > MAX_KEPT
    local drop = 0
    if oldest.ms <= aged then
      drop = there
    elseif capped or oldest.ms <= now - FLOOR_MS then
      drop = math.min(there, total - most)
    end
    drop = math.min(drop, limit)
    if drop <= 0 then
      break
    end
    if capped then
      redis.call('HSET', meta, 'forgotten', int(now))
    end
    local ids = ids_in(oldest.names)
    redis.call('HDEL', finished, unpack(ids, 1, drop))
    if drop == there then
      redis.call('LPOP', done)
      oldest = done_entry(0)
    else
      redis.call('LSET', done, 0, write_entry(oldest.ms, oldest.first + drop, ids, drop + 1))
      break
    end
    total, limit = total - drop, limit - drop
  end
  return total
end

-- Forgets those of `kept` whose time has come, and the next ones while there are too many: about
-- limit records, whole entries.
local function trim_kept(total, limit)
  while total > 0 and limit > 0 do
    local first = redis.call('ZRANGE', kept, 0, 0, 'WITHSCORES')
    local capped = total > MAX_KEPT
    if not first[1] or not (capped or tonumber(first[2]) <= now) then
      return
    end
    if capped then
      redis.call('HSET', meta, 'forgotten', int(now))
    end
    local ids = ids_in(first[1])
    redis.call('HDEL', finished, unpack(ids))
    redis.call('ZREM', kept, first[1])
    total, limit = total - #ids, limit - #ids
  end
end

local function trim(retention, limit)
  local total = redis.call('HLEN', finished)
  if total > 0 then
    local left = trim_done(math.min(retention[1], MAX_KEPT), now - math.max(retention[2], FLOOR_MS), limit)
    trim_kept(redis.call('HLEN', finished) - left, limit)
  end
end

-- The dead are bounded too; the oldest go, with what is left of them.
local function trim_dead(retention, limit)
  local over = math.min(redis.call('ZCARD', dead) - retention[3], limit)
  local ids = {}
  if over > 0 then
    ids = redis.call('ZRANGE', dead, 0, over - 1)
  else
    ids = redis.call('ZRANGEBYSCORE', dead, '-inf', int(now - retention[4]), 'LIMIT', 0, limit)
  end
  if #ids > 0 then
    redis.call('HDEL', jobs, unpack(ids))
    redis.call('HDEL', state, unpack(ids))
    redis.call('ZREM', dead, unpack(ids))
  end
end

local function tell(ids)
  if #ids == 0 or redis.call('SCARD', watched) == 0 then
    return
  end
  local told = {}
  for i, hit in ipairs(redis.call('SMISMEMBER', watched, unpack(ids))) do
    if hit == 1 then
      redis.call('PUBLISH', channel, ids[i])
      told[#told + 1] = ids[i]
    end
  end
  if #told > 0 then
    redis.call('SREM', watched, unpack(told))
  end
end

local function record(groups, retention)
  local all, n = {}, 0
  for _, group in ipairs(groups) do
    local ids, ttl = group.ids, tonumber(group.keep)
    for i, id in ipairs(ids) do
      all[n + i] = id
    end
    n = n + #ids
    if ttl then
      redis.call('HSET', finished, unpack(group.pairs))
      redis.call('ZADD', kept, int(now + math.max(ttl, FLOOR_MS)), table.concat(ids, '\0'))
    elseif not retention or retention[1] > 0 then
      local newest = done_entry(-1)
      redis.call('HSET', finished, unpack(group.pairs))
      redis.call('RPUSH', done, write_entry(now, newest and newest.last + 1 or 1, ids, 1))
    else
      redis.call('HSET', meta, 'forgotten', int(now))
    end
  end
  return all
end

local function finish(ids, retention)
  if #ids == 0 then
    return
  end
  redis.call('HDEL', jobs, unpack(ids))
  if redis.call('EXISTS', state) == 1 then
    redis.call('HDEL', state, unpack(ids))
  end
  if redis.call('EXISTS', asked) == 1 then
    redis.call('SREM', asked, unpack(ids))
  end
  tell(ids)
  if retention then
    trim(retention, 2 * #ids + 16)
  end
end

-- The group of jobs that were cancelled.
local function cancelled_group(ids)
  local pairs_of = {}
  for _, id in ipairs(ids) do
    pairs_of[#pairs_of + 1] = id
    pairs_of[#pairs_of + 1] = '{"end":"cancelled"}'
  end
  return {ids = ids, pairs = pairs_of, keep = ''}
end
