-- turn: settles what an incarnation has finished and claims what it has room for.
-- Claims stand before settlements, so that no turn can claim again what it settled.
-- KEYS: jobs state running workers steps asked marks parked parked_tasks scheduled done kept
--       dead watched wake meta few alone ready:*
-- ARGV: now or '', channel, incarnation, step, lease ms, want, few room, empty (0, 1), order of
--       priorities (ten digits), retention (finished, age ms, dead, dead age ms), how many jobs the
--       worker knows to be on loan or '', number of tasks to take, those, then groups of finished
--       jobs and five of each move (lib/settle.lua)
-- Returns {'lost'}, {'step', last, running ids}, or {'done', claims, token of the first, more,
--       asked ids, ms to the next due job or -1, parked tasks, paused, alone}. Claims are parts, each
--       of ids, envelopes, and states or {} when there are none.
local incarnation = ARGV[3]
local step, lease, want = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local few_room, empty, order = tonumber(ARGV[7]), ARGV[8] == '1', ARGV[9]
local retention = {tonumber(ARGV[10]), tonumber(ARGV[11]), tonumber(ARGV[12]), tonumber(ARGV[13])}
local takes = tonumber(ARGV[15])
local MAX_BYTES, CHUNK, TIMER_GRACE_MS = 1048576, 32, 1000

local last = redis.call('HGET', steps, incarnation)
if not last then
  return {'lost'}
end
if step ~= tonumber(last) + 1 then
  return {'step', last, redis.call('SMEMBERS', running)}
end
redis.call('HSET', steps, incarnation, ARGV[4])
redis.call('ZADD', workers, 'XX', now + lease, incarnation)
-- A queue whose jobs only wait, run and end has none of these, and is asked for them once.
local plain = redis.call('EXISTS', scheduled, few, alone, parked, parked_tasks, marks, state, asked, watched) == 0
local ends, first_move = ends_on_loan(16 + takes, tonumber(ARGV[14]))
local moves = moves_on_loan(first_move)
local promoted = plain and 0 or promote(math.min(100, 2 * want + 16))

local facts = redis.call('HMGET', meta, 'paused', 'timer', 'token', 'done', 'kept')
read_done_facts(facts[4])
local paused = facts[1] and true or false
local claims, claimed, bytes, looked, took_alone = {}, 0, 0, 0, false

-- The records beside the entries, without those that are too long to be ours.
local function records_beside(entries)
  local records = redis.call('HMGET', state, unpack(entries))
  for i = 1, #entries do
    if records[i] and #records[i] > MAX_STATE then
      records[i] = false
    end
  end
  return records
end

-- Lends some of the entries, whose envelopes were found.
local function lend_some(entries, found, size)
  redis.call('SADD', running, unpack(entries))
  claims[#claims + 1] = {entries, found, not plain and redis.call('EXISTS', state) == 1 and records_beside(entries) or {}}
  claimed, bytes = claimed + #entries, size
end

-- Lends as many of the entries, from the first on, as the answer may carry; answers how many are to
-- be taken from where they are. One without an envelope, or that ended meanwhile, is only dropped; one
-- that is too long to run is lent with ''.
local function lend(entries)
  local found = redis.call('HMGET', jobs, unpack(entries))
  -- This runs once for each claim: mostly there is nothing to sort out.
  local n, size, odd = #entries, bytes, false
  for i = 1, n do
    local envelope = found[i]
    if not envelope or byte(envelope) == RECORD or #envelope > MAX_ENVELOPE then
      odd = true
      break
    end
    size = size + #envelope
  end
  if not odd and size <= MAX_BYTES then
    lend_some(entries, found, size)
    looked = looked + n
    return n
  end

  local lent, envelopes, dropped, taken = {}, {}, {}, 0
  size = bytes
  for i = 1, n do
    local envelope = found[i]
    if not envelope or is_record(envelope) then
      dropped[#dropped + 1] = entries[i]
    else
      if #envelope > MAX_ENVELOPE then
        envelope = ''
      end
      if claimed + #lent > 0 and size + #envelope > MAX_BYTES then
        size = MAX_BYTES
        break
      end
      size = size + #envelope
      lent[#lent + 1], envelopes[#lent + 1] = entries[i], envelope
    end
    taken = i
  end
  looked, bytes = looked + taken, size
  if #lent > 0 then
    lend_some(lent, envelopes, size)
  end
  if #dropped > 0 then
    redis.call('HDEL', marks, unpack(dropped))
  end
  return taken
end

-- The first look is at few entries, since it is not known how long their envelopes are; the next ones
-- are at as many as the answer still seems to have room for.
local function claim_from(list, most)
  local target = claimed + most
  while claimed < target and looked < 4 * want and bytes < MAX_BYTES do
    local room = claimed > 0 and math.floor((MAX_BYTES - bytes) * claimed / (4 * bytes + 1)) or 0
    local entries = redis.call('LRANGE', list, '0', math.min(target - claimed, math.max(CHUNK, room)) - 1)
    if #entries == 0 then
      return
    end
    local taken = lend(entries)
    if taken > 0 then
      redis.call('LTRIM', list, taken, '-1')
    end
  end
end

local function take_parked(task)
  local room = math.min(want - claimed, CHUNK)
  if room <= 0 or bytes >= MAX_BYTES then
    return
  end
  local members = redis.call('ZRANGEBYLEX', parked, '[' .. task .. '\0', '[' .. task .. '\0\255', 'LIMIT', 0, room)
  local entries, parts = {}, {}
  for _, member in ipairs(members) do
    local id = string.match(member, '^%Z*%z%d%z(.+)$')
    if id then
      entries[#entries + 1], parts[#parts + 1] = id, member
    else
      -- Someone else wrote it.
      redis.call('ZREM', parked, member)
    end
  end
  local taken = #entries > 0 and lend(entries) or 0
  if taken > 0 then
    redis.call('ZREM', parked, unpack(parts, 1, taken))
    redis.call('HDEL', marks, unpack(entries, 1, taken))
  end
  if #members < room and taken == #entries then
    redis.call('HDEL', parked_tasks, task)
  end
end

-- A worker that knows a task keeps its parked jobs from being buried, room or no room.
for i = 16, 15 + takes do
  if redis.call('HEXISTS', parked_tasks, ARGV[i]) == 1 then
    redis.call('HSET', parked_tasks, ARGV[i], now)
  end
end

if want > 0 and not paused then
  if empty then
    claim_from(alone, 1)
    took_alone = claimed > 0
  else
    for i = 16, 15 + takes do
      take_parked(ARGV[i])
    end
    if not plain then
      local before = claimed
      claim_from(few, math.min(few_room, want - claimed))
      few_room = few_room - (claimed - before)
    end
    local lists = {}
    for i = 1, 10 do
      lists[i] = ready[byte(order, i) - 48]
    end
    -- Most jobs have the priority in the middle.
    local first = redis.call('EXISTS', unpack(lists, 1, 4)) > 0 and 1 or 5
    for i = first, 10 do
      if claimed >= want then
        break
      end
      claim_from(lists[i], want - claimed)
    end
  end
end

-- How many jobs are ready, counted no further than limit.
local function ready_up_to(limit)
  local count = 0
  for p = 0, 9 do
    count = count + redis.call('LLEN', ready[p])
    if count >= limit then
      return limit
    end
  end
  return count
end

local token = 0
if claimed > 0 then
  token = math.max(tonumber(facts[3] or 0) + 1, now * 1000)
  note('token', token + claimed - 1)
end

local requeued = settle(ends, moves, retention, plain, (facts[5] or '0') == '0')
plain = plain and #moves == 0

local left = not paused and redis.call('EXISTS', ready[0], ready[1], ready[2], ready[3], ready[4], ready[5], ready[6], ready[7], ready[8], ready[9]) > 0
local waiting_alone = not plain and redis.call('LLEN', alone) > 0
local more = left or not paused and not plain
  and (few_room > 0 and redis.call('LLEN', few) > 0 or empty and claimed == 0 and waiting_alone)
if left and promoted + requeued > 0 then
  -- This turn may have claimed some of them itself.
  wake_up(ready_up_to(promoted + requeued))
elseif left and (took_alone or claimed >= want) and redis.call('LLEN', wake) == 0 then
  -- The baton: whoever cannot take all wakes one that can.
  wake_up(1)
end

-- One worker is told when the next job is due: it holds the timer. Another takes it for an earlier
-- job, when the holder is late or has no lease any more, and when the held time has passed and its
-- job is gone.
local due_in = -1
local first = not plain and redis.call('ZRANGE', scheduled, '0', '0', 'WITHSCORES')[2]
if first then
  local due = math.floor(tonumber(first) / 10)
  local held, holder = string.match(facts[2] or '', '^(%d+) (.*)$')
  held = tonumber(held)
  local taken = held and holder ~= incarnation and due >= held
    and now <= held + (due > held and 0 or TIMER_GRACE_MS)
    and tonumber(redis.call('ZSCORE', workers, holder) or 0) > now
  if not taken then
    redis.call('HSET', meta, 'timer', int(due) .. ' ' .. incarnation)
    due_in = math.max(0, due - now)
  end
elseif facts[2] then
  -- The holder is not told any more, and must not keep others from the next job that comes.
  redis.call('HDEL', meta, 'timer')
end

local asked_here = not plain and redis.call('SCARD', asked) > 0 and redis.call('SINTER', asked, running) or {}
local names = not plain and redis.call('HLEN', parked_tasks) > 0 and redis.call('HRANDFIELD', parked_tasks, 16) or {}
return {'done', claims, token, more and 1 or 0, asked_here, due_in, names, paused and 1 or 0, waiting_alone and not paused and 1 or 0}
