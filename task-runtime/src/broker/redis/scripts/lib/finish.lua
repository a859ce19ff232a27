-- record(groups, retention): each group is {ids = …, keep = ms or '', pairs = id, record, … from
-- number `from` to number `to`}; the records take the place of the envelopes, to stay by number and
-- age or until their time. Answers all ids, and those of which nothing stays.
-- finish(ids, gone, retention, plain, none_kept), afterwards: everything else of the jobs goes, and who
-- watches is told. `plain`: there are no hints, and nobody watches; `none_kept`: no record has a time of
-- its own.
-- Retention is {finished, age ms, dead, dead age ms}; without it everything is kept and nothing
-- trimmed, for only workers know what is to be kept.
-- Endings are told on the channel in ARGV[2]. What is noted is written by write_news().
--
-- `kept` has one entry for the records of one call that are to be forgotten together, 'id NUL id …';
-- meta.kept counts the records.
-- Needs KEYS: jobs state asked done kept dead watched meta, and lib/record.lua, lib/done.lua.
local channel = ARGV[2]
local FLOOR_MS, MAX_KEPT = 60000, 100000

local function write_entry(ms, ids, from)
  return int(ms) .. '\0' .. #ids - from + 1 .. '\0' .. table.concat(ids, '\0', from)
end

-- What is no entry names nothing.
local function read_entry(entry)
  local ms, count, names = string.match(entry, '^(%d+)%z(%d+)%z(.*)$')
  return tonumber(ms), tonumber(count) or 0, names or ''
end

-- What is yet to be written to `meta`: several facts in one command.
local news = {}
local function note(field, value)
  news[#news + 1] = field
  news[#news + 1] = value
end

local function write_news()
  if #news > 0 then
    redis.call('HSET', meta, unpack(news))
    news = {}
  end
end

local function note_done_facts(total, ms)
  -- Less than was there is forgotten when someone took the number away.
  total = math.max(0, total)
  facts_of_done = {total, ms}
  note('done', int(total) .. ' ' .. int(ms))
end

-- What a call that may fail answered, if it did not.
local function unless_failed(worked, ...)
  return worked and {...} or {}
end

-- The ids in 'id NUL id …', of which there should be count.
local function ids_in(names, count)
  local ids = unless_failed(pcall(struct.unpack, string.rep('s', math.min(count, #names)), names .. '\0'))
  -- The last value says where reading ended.
  if table.remove(ids) == #names + 2 then
    return ids
  end
  ids = {}
  for id in string.gmatch(names, '[^%z]+') do
    ids[#ids + 1] = id
  end
  return ids
end

-- Forgets the records of the first of ids. What became a job again under the same id, because
-- someone took its record away by hand, stays.
local function forget(ids, most)
  most = math.min(most, #ids)
  if most == 0 then
    return
  end
  local found, last = redis.call('HMGET', jobs, unpack(ids, 1, most)), 0
  -- Mostly all of them are records.
  for i = 1, most do
    local record = found[i]
    if not record or byte(record) ~= RECORD then
      break
    end
    last = i
  end
  local ended = ids
  if last < most then
    ended = {unpack(ids, 1, last)}
    for i = last + 1, most do
      if is_record(found[i]) then
        ended[#ended + 1] = ids[i]
      end
    end
    last = #ended
  end
  if last > 0 then
    redis.call('HDEL', jobs, unpack(ended, 1, last))
  end
end

-- Forgets the oldest of `done`, about limit records, whole entries where that is possible: those
-- beyond most, but none younger than the floor unless the hard cap forces it, which is written down;
-- and those that are older than aged.
local function trim_done(most, aged, limit)
  local total, oldest = done_facts()
  local function is_due()
    return total > 0 and (oldest <= aged or total > most and (oldest <= now - FLOOR_MS or total > MAX_KEPT))
  end
  if not is_due() then
    return
  end
  while is_due() and limit > 0 do
    local entry = redis.call('LINDEX', done, '0')
    if not entry then
      -- Someone took the list away.
      total = 0
      break
    end
    local ms, there, names = read_entry(entry)
    local drop = oldest <= aged and there or math.min(there, total - most)
    if total > MAX_KEPT then
      note('forgotten', now)
    end
    local ids = ids_in(names, there)
    forget(ids, drop)
    total, limit = total - drop, limit - math.max(drop, 1)
    if drop < there then
      redis.call('LSET', done, '0', write_entry(ms, ids, drop + 1))
      break
    end
    redis.call('LPOP', done)
    oldest = tonumber(string.match(redis.call('LINDEX', done, '0') or '0', '^%d+'))
  end
  note_done_facts(total, oldest)
end

-- Forgets those of `kept` whose time has come, and the next ones while there are too many: about
-- limit records, whole entries.
local function trim_kept(limit)
  while limit > 0 do
    local first = redis.call('ZRANGE', kept, '0', '0', 'WITHSCORES')
    if not first[1] then
      return
    end
    local capped = tonumber(redis.call('HGET', meta, 'kept') or 0) > MAX_KEPT
    if not capped and tonumber(first[2]) > now then
      return
    end
    if capped then
      note('forgotten', now)
    end
    local _, more = string.gsub(first[1], '%z', '')
    local ids = ids_in(first[1], more + 1)
    forget(ids, #ids)
    redis.call('ZREM', kept, first[1])
    redis.call('HINCRBY', meta, 'kept', -#ids)
    limit = limit - #ids
  end
end

local function trim(retention, limit, none_kept)
  trim_done(math.min(retention[1], MAX_KEPT), now - math.max(retention[2], FLOOR_MS), limit)
  if not none_kept then
    trim_kept(limit)
  end
end

-- The dead are bounded too, by the same rule; the oldest go, with what is left of them.
local function trim_dead(retention, limit)
  local total = redis.call('ZCARD', dead)
  local capped, aged = total > MAX_KEPT, now - math.max(retention[4], FLOOR_MS)
  local oldest, ids = redis.call('ZRANGE', dead, '0', limit - 1, 'WITHSCORES'), {}
  for i = 1, #oldest, 2 do
    local died = tonumber(oldest[i + 1])
    if died > aged and not (total - #ids > retention[3] and (capped or died <= now - FLOOR_MS)) then
      break
    end
    ids[#ids + 1] = oldest[i]
  end
  if #ids > 0 then
    if capped then
      note('forgotten', now)
    end
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

-- Both lists as one. Mostly the first is empty.
local function joined(first, second)
  if #first == 0 then
    return second
  end
  local both = {unpack(first)}
  for _, id in ipairs(second) do
    both[#both + 1] = id
  end
  return both
end

local function record(groups, retention)
  local all, gone = {}, {}
  for _, group in ipairs(groups) do
    local ids, ttl = group.ids, tonumber(group.keep)
    if ttl then
      redis.call('HSET', jobs, unpack(group.pairs, group.from, group.to))
      redis.call('ZADD', kept, now + math.max(ttl, FLOOR_MS), table.concat(ids, '\0'))
      redis.call('HINCRBY', meta, 'kept', #ids)
    elseif not retention or retention[1] > 0 then
      local total, oldest = done_facts()
      redis.call('HSET', jobs, unpack(group.pairs, group.from, group.to))
      redis.call('RPUSH', done, write_entry(now, ids, 1))
      note_done_facts(total + #ids, total > 0 and oldest or now)
    else
      note('forgotten', now)
      gone = joined(gone, ids)
    end
    all = joined(all, ids)
  end
  return all, gone
end

local function finish(ids, gone, retention, plain, none_kept)
  if #ids == 0 then
    return
  end
  if #gone > 0 then
    redis.call('HDEL', jobs, unpack(gone))
  end
  if not plain then
    if redis.call('EXISTS', state) == 1 then
      redis.call('HDEL', state, unpack(ids))
    end
    if redis.call('EXISTS', asked) == 1 then
      redis.call('SREM', asked, unpack(ids))
    end
    tell(ids)
  end
  if retention then
    -- A little more than has come, so that the number comes down.
    trim(retention, #ids + 16, none_kept)
  end
end

-- The group of jobs that were cancelled.
local function cancelled_group(ids)
  local pairs_of = {}
  for i, id in ipairs(ids) do
    pairs_of[2 * i - 1], pairs_of[2 * i] = id, CANCELLED
  end
  return {ids = ids, pairs = pairs_of, from = 1, to = 2 * #ids, keep = ''}
end
