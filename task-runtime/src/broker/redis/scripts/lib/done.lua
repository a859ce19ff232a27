-- `done`: which end records are kept by number and age, in the order of their ends. One entry for
-- those of one call: 'ms NUL how many NUL id NUL id …'. `meta.done` says 'records in all, ms of the oldest':
-- an entry is long, and is only read to forget what it names. Someone may have taken it away.
local facts_of_done
local function done_facts()
  if not facts_of_done then
    local total, ms = string.match(redis.call('HGET', meta, 'done') or '', '^(%d+) (%d+)$')
    facts_of_done = {tonumber(total) or 0, tonumber(ms) or 0}
  end
  return unpack(facts_of_done)
end
