-- first_step(): the number after which a new incarnation numbers its turns.
-- end_steps(incarnation): it makes no turn any more. Whoever begins from now on, also the same one by a
-- begin that arrives late, has numbers beyond any that it can have sent: the last one that was carried out,
-- one that is under way, and one more, by which its worker tells that this is not its registration.
-- Needs KEYS: steps meta, and lib/clock.lua.
local function first_step()
  local stored = redis.call('HGET', meta, 'step')
  -- Someone may have written anything.
  return stored and #stored <= 15 and tonumber(string.match(stored, '^%d+$')) or 0
end

local function end_steps(incarnation)
  local last = redis.call('HGET', steps, incarnation)
  if last then
    redis.call('HSET', meta, 'step', int(math.max(first_step(), (tonumber(last) or 0) + 2)))
    redis.call('HDEL', steps, incarnation)
  end
end
