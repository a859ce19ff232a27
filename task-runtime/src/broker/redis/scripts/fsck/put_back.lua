-- fsck/put_back: jobs that stand nowhere → where it was decided, unless one stands somewhere by now. One
-- whose cancel was asked is not put back: it ends as cancelled.
-- KEYS: jobs state marks scheduled dead parked workers asked done kept watched meta wake few alone
--       ready:* others:*
-- ARGV: now or '', channel, how many, of each id and place (0 to 9, few, alone, dead), then the
--       incarnations whose running sets are `others`
-- Returns the ids that were put back or ended.
local count, ids, places = tonumber(ARGV[3]), {}, {}
for i = 1, count do
  ids[i] = ARGV[2 + 2 * i]
  places[ids[i]] = ARGV[3 + 2 * i]
end
local free_ones, cancelled, moved, claimable = free(ids, 4 + 2 * count), {}, {}, 0
if not free_ones then
  return {}
end
for _, id in ipairs(ids) do
  if free_ones[id] then
    local place = places[id]
    moved[#moved + 1] = id
    if redis.call('SISMEMBER', asked, id) == 1 then
      cancelled[#cancelled + 1] = id
    elseif place == 'dead' then
      redis.call('ZADD', dead, now, id)
    else
      redis.call('RPUSH', place == 'few' and few or place == 'alone' and alone or ready[tonumber(place)], id)
      claimable = claimable + 1
    end
    -- It may say that the job is parked, which it is not.
    redis.call('HDEL', marks, id)
  end
end
if #cancelled > 0 then
  finish(record({cancelled_group(cancelled)}))
  write_news()
end
wake_up(claimable)
return moved
