-- only_here(id, mark, due, died, repair): an id that is in line or on loan stands in no sorted set too.
-- What does is found, and taken out of there by a repair. `due` and `died` say whether it does in
-- scheduled and dead.
-- Needs KEYS: marks scheduled dead parked, and lib/kind.lua.
local function only_here(id, mark, due, died, repair)
  local member = mark and string.match(mark, '^parked (.*)$')
  local is_parked = member and redis.call('ZSCORE', parked, member)
  if not (due or died or is_parked) then
    return
  end
  find('t', id, repair)
  if repair then
    redis.call('ZREM', scheduled, id)
    redis.call('ZREM', dead, id)
    if is_parked then
      redis.call('ZREM', parked, member)
      redis.call('HDEL', marks, id)
    end
  end
end

