-- leave: gives back jobs of an incarnation that stops in good order, then forgets it.
-- KEYS: jobs state running workers steps asked marks parked parked_tasks scheduled done kept
--       dead watched wake meta few alone ready:*
-- ARGV: now or '', channel, incarnation, then five of each release (lib/settle.lua)
-- Returns 1 when the incarnation is gone.
local incarnation = ARGV[3]
-- A condemned incarnation belongs to whoever recovers it.
if not redis.call('HGET', steps, incarnation) then
  return 1
end
local released = settle({}, moves_on_loan(4))
local gone = redis.call('EXISTS', running) == 0
if gone then
  redis.call('ZREM', workers, incarnation)
  end_steps(incarnation)
  -- It may have popped a token that nobody will act on now.
  released = released + 1
end
wake_up(released)
return gone and 1 or 0
