-- turn: settles what an incarnation has finished and claims what it has room for.
-- Claims stand before settlements, so that no turn can claim again what it settled.
-- KEYS: jobs state running workers steps asked marks parked parked_tasks scheduled done kept
--       dead watched wake meta few alone ready:*
-- ARGV: now or '', channel, incarnation, step, lease ms, want, few room, empty (0, 1), order of
--       priorities (ten digits), retention (finished, age ms, dead, dead age ms), number of tasks
--       to take, those, then groups of finished jobs and five of each move (lib/settle.lua)
-- Returns {'lost'}, {'step', last, running ids}, or {'done', ids, envelopes, states or {} when there
--       are none, token of the first, more, asked ids, ms to the next due job or -1, parked tasks,
--       paused, alone}.
local incarnation = ARGV[3]
local step, lease, want = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local few_room, empty, order = tonumber(ARGV[7]), ARGV[8] == '1', ARGV[9]
local retention = {tonumber(ARGV[10]), tonumber(ARGV[11]), tonumber(ARGV[12]), tonumber(ARGV[13])}
local takes = tonumber(ARGV[14])
local MAX_BYTES, CHUNK, TIMER_GRACE_MS = 1048576, 32, 1000

local last = redis.call('HGET', steps, incarnation)
if not last then
  return {'lost'}
end
if step ~= tonumber(last) + 1 then
  return {'step', last, redis.call('SMEMBERS', running)}
end
redis.call('HSET', steps, incarnation, int(step))
redis.call('ZADD', workers, 'XX', int(now + lease), incarnation)
local ends, first_move = ends_on_loan(15 + takes)
local moves = moves_on_loan(first_move)
local promoted = promote(math.min(100, 2 * want + 16))

local facts = redis.call('HMGET', meta, 'paused', 'timer', 'token')
local paused = facts[1] and true or false
local ids, envelopes, bytes, looked, took_alone = {}, {}, 0, 0, false

-- Lends as many of the entries, from the first on, as the answer may carry; answers how many are to
-- be taken from where they are. One without an envelope, or that ended meanwhile, is only dropped; one
-- that is too long to run is lent with ''.
local function lend(entries)
  local found, lent, dropped = redis.call('HMGET', jobs, unpack(entries)), {}, {}
  -- This runs once for each claim, so it counts by itself.
  local n, held, size, taken = 0, #ids, bytes, 0
  for i = 1, #entries do
    local envelope = found[i]
    if not envelope or is_record(envelope) then
      dropped[#dropped + 1] = entries[i]
    else
      local length = #envelope
      if length > MAX_ENVELOPE then
        envelope, length = '', 0
      end
      if held > 0 and size + length > MAX_BYTES then
        size = MAX_BYTES
        break
      end
      n, held, size = n + 1, held + 1, size + length
      lent[n] = entries[i]
      ids[held], envelopes[held] = entries[i], envelope
    end
    taken = i
  end
  bytes, looked = size, looked + taken
  if n > 0 then
    redis.call('SADD', running, unpack(lent))
  end
  if #dropped > 0 then
    redis.call('HDEL', marks, unpack(dropped))
  end
  return taken
end

local function claim_from(list, most)
  local target = #ids + most
  while #ids < target and looked < 4 * want and bytes < MAX_BYTES do
    local chunk = math.min(target - #ids, CHUNK)
    local entries = redis.call('LRANGE', list, 0, chunk - 1)
    if #entries == 0 then
      return
    end
    local taken = lend(entries)
    if taken > 0 then
      redis.call('LTRIM', list, taken, -1)
    end
  end
end

local function take_parked(task)
  local room = math.min(want - #ids, CHUNK)
  if room <= 0 or bytes >= MAX_BYTES then
    return
  end
  local members = redis.call('ZRANGEBYLEX', parked, '[' .. task .. '\0', '[' .. task .. '\0\255', 'LIMIT', 0, room)
  local entries = {}
  for i, member in ipairs(members) do
    entries[i] = string.match(member, '^%Z*%z%d%z(.*)$')
  end
  local taken = #entries > 0 and lend(entries) or 0
  if taken > 0 then
    redis.call('ZREM', parked, unpack(members, 1, taken))
    redis.call('HDEL', marks, unpack(entries, 1, taken))
  end
  if #members < room and taken == #members then
    redis.call('HDEL', parked_tasks, task)
  end
end

-- A worker that knows a task keeps its parked jobs from being buried, room or no room.
for i = 15, 14 + takes do
  if redis.call('HEXISTS', parked_tasks, ARGV[i]) == 1 then
    redis.call('HSET', parked_tasks, ARGV[i], int(now))
  end
end

if want > 0 and not paused then
  if empty then
    claim_from(alone, 1)
    took_alone = #ids > 0
  else
    for i = 15, 14 + takes do
      take_parked(ARGV[i])
    end
    local before = #ids
    claim_from(few, math.min(few_room, want - #ids))
    few_room = few_room - (#ids - before)
    for i = 1, 10 do
      claim_from(ready[tonumber(string.sub(order, i, i))], want - #ids)
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

local states, token = {}, 0
if #ids > 0 then
  if redis.call('EXISTS', state) == 1 then
    states = redis.call('HMGET', state, unpack(ids))
  end
  token = math.max(tonumber(facts[3] or 0) + 1, now * 1000)
  redis.call('HSET', meta, 'token', int(token + #ids - 1))
end

local requeued = settle(ends, moves, retention)

local left = not paused and redis.call('EXISTS', ready[0], ready[1], ready[2], ready[3], ready[4], ready[5], ready[6], ready[7], ready[8], ready[9]) > 0
local waiting_alone = redis.call('LLEN', alone) > 0
local more = left or not paused and (few_room > 0 and redis.call('LLEN', few) > 0 or empty and #ids == 0 and waiting_alone)
if left and promoted + requeued > 0 then
  -- This turn may have claimed some of them itself.
  wake_up(ready_up_to(promoted + requeued))
elseif left and (took_alone or #ids >= want) and redis.call('LLEN', wake) == 0 then
  -- The baton: whoever cannot take all wakes one that can.
  wake_up(1)
end

-- One worker is told when the next job is due: it holds the timer. Another takes it for an earlier
-- job, when the holder is late or has no lease any more, and when the held time has passed and its
-- job is gone.
local due_in = -1
local first = redis.call('ZRANGE', scheduled, 0, 0, 'WITHSCORES')[2]
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

local asked_here = redis.call('SCARD', asked) > 0 and redis.call('SINTER', asked, running) or {}
local names = redis.call('HLEN', parked_tasks) > 0 and redis.call('HRANDFIELD', parked_tasks, 16) or {}
return {'done', ids, envelopes, states, token, more and 1 or 0, asked_here, due_in, names, paused and 1 or 0, waiting_alone and not paused and 1 or 0}
