-- condemn: ends an incarnation for good, unless it lives. Repeating it goes on where the last
-- recoverer stopped.
-- KEYS: workers steps running jobs state scheduled wake meta
-- ARGV: now or '', incarnation, lease end as it was seen, stale (0, 1)
-- Returns {-1} when it lives or is gone, else {number on board, claims}: at most 100 of its jobs
--       and 1 MiB, of each envelope the first 4096 bytes, which hold its header.
local seen = tonumber(ARGV[3])
local score = tonumber(redis.call('ZSCORE', workers, ARGV[2]) or -1)
if score ~= seen or not (seen == 0 or seen <= now or ARGV[4] == '1') then
  return {-1}
end
redis.call('ZADD', workers, 'XX', 0, ARGV[2])
end_steps(ARGV[2])
local left, claims, bytes = redis.call('SCARD', running), {}, 0
-- Counted once: the last of many that are recovered in parts did not crash alone.
local board = 'board:' .. ARGV[2]
redis.call('HSETNX', meta, board, left)
local on_board = tonumber(redis.call('HGET', meta, board))
if left == 0 then
  redis.call('ZREM', workers, ARGV[2])
  redis.call('HDEL', meta, board)
else
  for _, id in ipairs(redis.call('SRANDMEMBER', running, 100)) do
    bytes = bytes + redis.call('HSTRLEN', jobs, id)
    if bytes > 1048576 and #claims > 0 then
      break
    end
    local envelope = stored(id)
    if not envelope or is_record(envelope) then
      envelope = ''
    end
    claims[#claims + 1] = {id, string.sub(envelope, 1, 4096), beside(id), '0'}
  end
end
-- Someone else has to wake for the job that it was to wake for.
local holder = string.match(redis.call('HGET', meta, 'timer') or '', '^%d+ (.*)$')
if holder == ARGV[2] then
  redis.call('HDEL', meta, 'timer')
  wake_up(redis.call('EXISTS', scheduled))
end
return {on_board, claims}
