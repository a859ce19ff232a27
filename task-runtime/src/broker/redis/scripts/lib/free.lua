-- in_line_near_an_end(): the ids within 100 entries of either end of a list, as a table. Where lists
-- are short, and so where jobs move fast, that is all of them.
-- free(ids, first): which of ids have an envelope and stand nowhere: in no set or sorted set, and near
-- no end of a list. ARGV from first on are the incarnations whose running sets are `others`. Answers a
-- table by id, or nil and the incarnations that must be given.
-- Needs KEYS: jobs marks scheduled dead parked workers few alone ready:* others:*, and lib/kind.lua, lib/incarnations.lua.
local NEAR = 100

local function in_line_near_an_end()
  local there = {}
  local lists = {few, alone}
  for p = 0, 9 do
    lists[#lists + 1] = ready[p]
  end
  for _, list in ipairs(lists) do
    for _, id in ipairs(redis.call('LRANGE', list, 0, NEAR - 1)) do
      there[id] = true
    end
    if redis.call('LLEN', list) > NEAR then
      for _, id in ipairs(redis.call('LRANGE', list, -NEAR, -1)) do
        there[id] = true
      end
    end
  end
  return there
end

local function is_parked(mark)
  return mark and string.sub(mark, 1, 7) == 'parked ' and redis.call('ZSCORE', parked, string.sub(mark, 8))
end

local function free(ids, first)
  local stands, given = in_line_near_an_end(), {}
  for i = first, #ARGV do
    given[ARGV[i]] = others[i - first + 1]
  end
  local registered = incarnations()
  for _, incarnation in ipairs(registered) do
    if not given[incarnation] then
      return nil, registered
    end
  end
  for _, running in pairs(given) do
    for i, hit in ipairs(redis.call('SMISMEMBER', running, unpack(ids))) do
      stands[ids[i]] = stands[ids[i]] or hit == 1
    end
  end
  local due, died = redis.call('ZMSCORE', scheduled, unpack(ids)), redis.call('ZMSCORE', dead, unpack(ids))
  local marked, free_ones = redis.call('HMGET', marks, unpack(ids)), {}
  for i, id in ipairs(ids) do
    if not (stands[id] or due[i] or died[i] or is_parked(marked[i])) then
      free_ones[id] = kind(id) == 'e'
    end
  end
  return free_ones
end
