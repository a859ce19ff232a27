-- settle_for: moves jobs of a condemned incarnation as its recoverer decided, and forgets the
-- incarnation when nothing is left of it.
-- KEYS: jobs state running workers asked marks parked parked_tasks scheduled done kept
--       dead watched wake meta few alone ready:*
-- ARGV: now or '', channel, incarnation, then five of each move (lib/settle.lua)
local incarnation = ARGV[3]
if tonumber(redis.call('ZSCORE', workers, incarnation) or -1) ~= 0 then
  return 0
end
wake_up(settle({}, moves_on_loan(4)))
if redis.call('EXISTS', running) == 0 then
  redis.call('ZREM', workers, incarnation)
  redis.call('HDEL', meta, 'board:' .. incarnation)
end
return 1
