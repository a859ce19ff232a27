-- fsck/worker: whether one incarnation can make turns, and is recovered when it vanishes. Only both
-- together, or a condemned one, is right: a lease and a step are written and removed by one script.
-- KEYS: workers steps running meta
-- ARGV: now or '', repair (0, 1), incarnation, lease ms for one that has none
-- Returns {flaw or '', repaired, number on loan}: u unwatched, h half registered, l leftover.
local repair, incarnation, lease = ARGV[2] == '1', ARGV[3], tonumber(ARGV[4])
local ends = tonumber(redis.call('ZSCORE', workers, incarnation) or nil)
local step, on_loan = redis.call('HEXISTS', steps, incarnation) == 1, redis.call('SCARD', running)
local repaired = repair and 1 or 0
if not ends and (step or on_loan > 0) then
  if repair then
    -- One that lives moves its lease on; one that does not is recovered by whoever watches.
    redis.call('ZADD', workers, step and now + lease or 0, incarnation)
  end
  return {'u', repaired, on_loan}
elseif ends and (ends == 0) == step then
  if repair then
    end_steps(incarnation)
    redis.call('ZADD', workers, 0, incarnation)
  end
  return {'h', repaired, on_loan}
elseif ends ~= 0 and redis.call('HEXISTS', meta, 'board:' .. incarnation) == 1 then
  if repair then
    redis.call('HDEL', meta, 'board:' .. incarnation)
  end
  return {'l', repaired, on_loan}
end
return {'', 0, on_loan}
