-- fsck/count: how many ends are kept, as it is written down and, where there are few notes, as it is; and
-- whether the queue has forgotten itself. With a print of the notes it writes down what the caller counted,
-- if the notes are still those.
-- KEYS: state done kept meta
-- ARGV: now or '', repair (0, 1), jobs are on loan (0, 1), print or '', number in done, ms of the oldest,
--       number in kept
-- Returns {print, number written down of done, its oldest, number written down of kept, number in done or -1
--       when there are many notes, its oldest, number in kept or -1, whether meta is gone although jobs ran}.
local FEW = 100
local function print_of_notes()
  local first = redis.call('ZRANGE', kept, 0, 0, 'WITHSCORES')
  local parts = {
    redis.call('HGET', meta, 'done') or '', redis.call('HGET', meta, 'kept') or '', redis.call('LLEN', done),
    redis.call('LINDEX', done, 0) or '', redis.call('LINDEX', done, -1) or '', redis.call('ZCARD', kept),
    first[1] or '', first[2] or '',
  }
  return redis.sha1hex(table.concat(parts, '\0'))
end

local forgetful = redis.call('EXISTS', meta) == 0 and (ARGV[3] == '1' or redis.call('EXISTS', state, done, kept) > 0)
if ARGV[2] == '1' then
  if forgetful then
    redis.call('HSET', meta, 'token', int(now * 1000))
  end
  if ARGV[4] == print_of_notes() then
    redis.call('HSET', meta, 'done', ARGV[5] .. ' ' .. ARGV[6], 'kept', ARGV[7])
  end
end
local done_there, kept_there = -1, -1
if redis.call('LLEN', done) <= FEW then
  done_there = 0
  for _, entry in ipairs(redis.call('LRANGE', done, 0, -1)) do
    local _, _, names = read_entry(entry)
    done_there = done_there + #names_in(names or '')
  end
end
if redis.call('ZCARD', kept) <= FEW then
  kept_there = 0
  for _, entry in ipairs(redis.call('ZRANGE', kept, 0, -1)) do
    kept_there = kept_there + #names_in(entry)
  end
end
local total, oldest = done_facts()
local head = string.match(redis.call('LINDEX', done, 0) or '0', '^%d+')
return {print_of_notes(), total, int(oldest), tonumber(redis.call('HGET', meta, 'kept') or 0), done_there, head or '0', kept_there, forgetful and 1 or 0}
