-- `done`: which end records are kept by number and age, in the order of their ends. One entry for
-- those of one call: 'ms NUL how many NUL id NUL id …'. `meta.done` says 'records in all, ms of the oldest':
-- an entry is long, and is only read to forget what it names. Someone may have taken it away.
local facts_of_done
local function read_done_facts(stored)
  local total, ms = string.match(stored or '', '^(%d+) (%d+)$')
  facts_of_done = {tonumber(total) or 0, tonumber(ms) or 0}
end

local function done_facts()
  if not facts_of_done then
    read_done_facts(redis.call('HGET', meta, 'done'))
  end
  return unpack(facts_of_done)
end
