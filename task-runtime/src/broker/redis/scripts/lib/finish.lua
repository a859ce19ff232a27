-- finish(ends): each of ends is {id, record, keep ms or ''}: the record is kept with the finished
-- ones or until its time, everything else of the job goes, and who watches is told.
-- Retention is {finished, age ms, dead, dead age ms}; without it everything is kept and nothing
-- trimmed, for only workers know what is to be kept.
-- Endings are told on the channel in ARGV[2].
-- Needs KEYS: jobs state asked finished done kept dead watched meta.
local channel = ARGV[2]
local FLOOR_MS, MAX_KEPT = 60000, 100000

local function forget(index, ids)
  if #ids > 0 then
    redis.call('HDEL', finished, unpack(ids))
    redis.call('ZREM', index, unpack(ids))
  end
end

-- Forgets at most limit records of an index that holds more than most, the oldest first; none
-- younger than the floor, unless the hard cap forces it, which is written down.
local function forget_beyond(index, most, limit, oldest_ms)
  local over = redis.call('ZCARD', index) - most
  if over <= 0 then
    return
  end
  local capped = over + most > MAX_KEPT
  local first = redis.call('ZRANGE', index, 0, math.min(over, limit) - 1, 'WITHSCORES')
  local ids = {}
  for i = 1, #first, 2 do
    if capped or tonumber(first[i + 1]) <= oldest_ms then
      ids[#ids + 1] = first[i]
    end
  end
  if capped then
    redis.call('HSET', meta, 'forgotten', int(now))
  end
  forget(index, ids)
end

local function trim(retention, limit)
  forget_beyond(done, math.min(retention[1], MAX_KEPT), limit, now - FLOOR_MS)
  local aged = now - math.max(retention[2], FLOOR_MS)
  forget(done, redis.call('ZRANGEBYSCORE', done, '-inf', int(aged), 'LIMIT', 0, limit))
  forget_beyond(kept, MAX_KEPT, limit, now)
  forget(kept, redis.call('ZRANGEBYSCORE', kept, '-inf', int(now), 'LIMIT', 0, limit))
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

local function finish(ends, retention)
  if #ends == 0 then
    return
  end
  local ids, records, in_done, in_kept = {}, {}, {}, {}
  local forgotten = false
  for i, one in ipairs(ends) do
    local id, record, ttl = one[1], one[2], tonumber(one[3])
    ids[i] = id
    if ttl or not retention or retention[1] > 0 then
      records[#records + 1] = id
      records[#records + 1] = record
      local index = ttl and in_kept or in_done
      index[#index + 1] = int(ttl and now + math.max(ttl, FLOOR_MS) or now)
      index[#index + 1] = id
    else
      forgotten = true
    end
  end
  if #records > 0 then
    redis.call('HSET', finished, unpack(records))
  end
  if #in_done > 0 then
    redis.call('ZADD', done, unpack(in_done))
  end
  if #in_kept > 0 then
    redis.call('ZADD', kept, unpack(in_kept))
  end
  if forgotten then
    redis.call('HSET', meta, 'forgotten', int(now))
  end
  redis.call('HDEL', jobs, unpack(ids))
  redis.call('HDEL', state, unpack(ids))
  redis.call('SREM', asked, unpack(ids))
  tell(ids)
  if retention then
    trim(retention, 2 * #ids + 16)
  end
end
