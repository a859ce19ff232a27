-- settle(moves, retention): each of moves is {kind, id, data, x, y}, all of them on loan to running.
--   f  ends:     data = end record, x = keep ms or ''
--   d  is dead:  data = state record
--   r  retries:  data = state record, x = delay ms, y = priority
--   l  released: y = priority
--   p  parked:   data = state record, x = task, y = priority
--   w  few, a  alone: data = state record
-- A job whose cancel was asked is not put back anywhere: it ends as cancelled.
-- First everything is added where it goes, then the loan ends, then the hints. Answers how many
-- jobs can be claimed again.
-- Needs KEYS: running asked state scheduled few alone parked parked_tasks marks dead ready:* and
-- those of lib/finish.lua.
local CANCELLED = '{"end":"cancelled"}'

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

local function settle(moves, retention)
  if #moves == 0 then
    return 0
  end
  local cancelled = asked_among(moves)
  local ids, ends, states, no_state, buried, claimable = {}, {}, {}, {}, {}, 0
  for i, move in ipairs(moves) do
    local kind, id, data, x, y = unpack(move)
    ids[i] = id
    if kind == 'f' then
      ends[#ends + 1] = {id, data, x}
    elseif kind ~= 'd' and cancelled[id] then
      ends[#ends + 1] = {id, CANCELLED, ''}
    else
      if kind ~= 'l' then
        states[#states + 1] = id
        states[#states + 1] = data
      end
      if kind == 'd' then
        redis.call('ZADD', dead, int(now), id)
        buried[#buried + 1] = id
      elseif kind == 'p' then
        local member = x .. '\0' .. y .. '\0' .. id
        redis.call('ZADD', parked, 0, member)
        redis.call('HSET', marks, id, 'parked ' .. member)
        redis.call('HSET', parked_tasks, x, int(now))
      elseif kind == 'r' and tonumber(x) > 0 then
        redis.call('ZADD', scheduled, int((now + tonumber(x)) * 10 + 9 - tonumber(y)), id)
      else
        claimable = claimable + 1
        if kind == 'r' then
          redis.call('RPUSH', ready[tonumber(y)], id)
        elseif kind == 'l' then
          redis.call('LPUSH', ready[tonumber(y)], id)
        else
          redis.call('RPUSH', kind == 'a' and alone or few, id)
        end
      end
    end
  end
  if #states > 0 then
    redis.call('HSET', state, unpack(states))
  end
  redis.call('SREM', running, unpack(ids))
  finish(ends, retention)
  if #buried > 0 then
    redis.call('SREM', asked, unpack(buried))
    tell(buried)
    if retention then
      trim_dead(retention, 2 * #buried + 16)
    end
  end
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
