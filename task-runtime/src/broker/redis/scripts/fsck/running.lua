-- fsck/running: a page of the jobs on loan to one incarnation. What runs is not in line anywhere else.
-- One without its envelope is left to a worker that can still make turns: it may yet tell how it ended.
-- KEYS: jobs marks scheduled dead parked running steps
-- ARGV: now or '', repair (0, 1), incarnation, cursor
-- Returns {cursor, findings, ids}.
local repair, incarnation = ARGV[2] == '1', ARGV[3]
local page = redis.call('SSCAN', running, ARGV[4], 'COUNT', 50)
local registered, ids = redis.call('HEXISTS', steps, incarnation) == 1, {}
for _, id in ipairs(page[2]) do
  local what = kind(id)
  if what == 'e' then
    ids[#ids + 1] = id
    only_here(id, redis.call('HGET', marks, id), redis.call('ZSCORE', scheduled, id), redis.call('ZSCORE', dead, id), repair)
  else
    local removes = repair and (what == 'r' or not registered)
    find(what == 'r' and 'e' or 'd', id, removes)
    if removes then
      redis.call('SREM', running, id)
    end
  end
end
return {page[1], found, ids}
