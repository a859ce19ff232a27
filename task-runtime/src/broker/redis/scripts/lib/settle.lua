-- settle(ends, moves, retention, plain, none_kept): what is on loan to running goes where it belongs. Each of ends is a
-- group of finished jobs (lib/finish.lua), each of moves is {kind, id, data, x, y}:
--   d  is dead:  data = state record
--   r  retries:  data = state record, x = delay ms, y = priority
--   l  released: y = priority, or x = few or alone
--   p  parked:   data = state record, x = task, y = priority
--   w  few, a  alone: data = state record
-- A job whose cancel was asked is not put back anywhere: it ends as cancelled.
-- First everything is added where it goes, then the loan ends, then the hints. Answers how many
-- jobs can be claimed again.
-- Needs KEYS: running asked state scheduled few alone parked parked_tasks marks dead ready:* and
-- those of lib/finish.lua.
local function asked_among(moves)
  local found = {}
  if #moves > 0 and redis.call('SCARD', asked) > 0 then
    local ids = {}
    for i, move in ipairs(moves) do
      ids[i] = move[2]
    end
    for i, hit in ipairs(redis.call('SMISMEMBER', asked, unpack(ids))) do
      found[ids[i]] = hit == 1
    end
  end
  return found
end

local function move_all(ends, moves)
  local cancelled = asked_among(moves)
  local ids, states, cancelled_ids, buried, claimable = {}, {}, {}, {}, 0
  for i, move in ipairs(moves) do
    local kind, id, data, x, y = unpack(move)
    ids[i] = id
    if kind ~= 'd' and cancelled[id] then
      cancelled_ids[#cancelled_ids + 1] = id
    else
      if kind ~= 'l' then
        states[#states + 1] = id
        states[#states + 1] = data
      end
      if kind == 'd' then
        redis.call('ZADD', dead, now, id)
        buried[#buried + 1] = id
      elseif kind == 'p' then
        local member = x .. '\0' .. y .. '\0' .. id
        redis.call('ZADD', parked, 0, member)
        redis.call('HSET', marks, id, 'parked ' .. member)
        redis.call('HSET', parked_tasks, x, now)
      elseif kind == 'r' and tonumber(x) > 0 then
        redis.call('ZADD', scheduled, (now + tonumber(x)) * 10 + 9 - tonumber(y), id)
      else
        claimable = claimable + 1
        if kind == 'r' then
          redis.call('RPUSH', ready[tonumber(y)], id)
        elseif kind == 'l' and x == '' then
          redis.call('LPUSH', ready[tonumber(y)], id)
        else
          redis.call('RPUSH', (kind == 'a' or x == 'alone') and alone or few, id)
        end
      end
    end
  end
  if #states > 0 then
    redis.call('HSET', state, unpack(states))
  end
  if #cancelled_ids > 0 then
    ends[#ends + 1] = cancelled_group(cancelled_ids)
  end
  return ids, buried, claimable
end

-- `plain`: there are no hints, and nobody waits for an end. `none_kept`: no record has a time of its own.
local function settle(ends, moves, retention, plain, none_kept)
  local moved, buried, claimable = {}, {}, 0
  if #moves > 0 then
    moved, buried, claimable = move_all(ends, moves)
    plain = false
  end
  local ended, gone = record(ends, retention)
  for _, settled in ipairs({ended, moved}) do
    if #settled > 0 then
      redis.call('SREM', running, unpack(settled))
    end
  end
  write_news()
  finish(ended, gone, retention, plain, none_kept)
  if #buried > 0 then
    redis.call('SREM', asked, unpack(buried))
    tell(buried)
    if retention then
      trim_dead(retention, #buried + 16)
    end
  end
  write_news()
  return claimable
end

-- The moves in ARGV from first on, five arguments each, of those jobs that are on loan to running:
-- asked before anything moves.
local function moves_on_loan(first)
  local ids = {}
  for i = first, #ARGV, 5 do
    ids[#ids + 1] = ARGV[i + 1]
  end
  local moves = {}
  if #ids > 0 then
    for i, hit in ipairs(redis.call('SMISMEMBER', running, unpack(ids))) do
      if hit == 1 then
        local at = first + (i - 1) * 5
        moves[#moves + 1] = {ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4]}
      end
    end
  end
  return moves
end

-- The groups of finished jobs in ARGV from first on, of those jobs that are on loan: of each group
-- its count, for how long its records are kept, and pairs of id and record; or its count, '-', and the
-- ids alone, when no record is kept. The last count is 0.
-- When as many are on loan as the worker knows, they are the same ones: its turns are in step, and
-- nothing else takes a job from it. Then none is looked up.
-- Answers the groups, and where the arguments after them begin.
local function ends_on_loan(first, known)
  local groups, at = {}, first
  local count = tonumber(ARGV[at])
  local certain = known and known >= count and known == redis.call('SCARD', running)
  while count > 0 do
    local keep = ARGV[at + 1]
    local width, ids = keep == '-' and 1 or 2, {}
    local last = at + 1 + width * count
    for i = at + 2, last, width do
      ids[#ids + 1] = ARGV[i]
    end
    local hits, missing = {}, 0
    if not certain then
      hits = redis.call('SMISMEMBER', running, unpack(ids))
      for i = 1, count do
        missing = missing + 1 - hits[i]
      end
    end
    if missing == 0 then
      groups[#groups + 1] = {ids = ids, pairs = ARGV, from = at + 2, to = last, keep = keep}
    elseif missing < count then
      local group = {ids = {}, pairs = {}, from = 1, to = 2 * (count - missing), keep = keep}
      for i, hit in ipairs(hits) do
        if hit == 1 then
          group.ids[#group.ids + 1] = ids[i]
          group.pairs[#group.pairs + 1] = ids[i]
          group.pairs[#group.pairs + 1] = width == 2 and ARGV[at + 1 + 2 * i]
        end
      end
      groups[#groups + 1] = group
    end
    at = last + 1
    count = tonumber(ARGV[at])
  end
  return groups, at + 1
end
