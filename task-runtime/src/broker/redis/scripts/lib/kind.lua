-- kind(id): what `jobs` holds of a job: 'e' an envelope, 'r' an end record, '' nothing; and how many
-- bytes were read to tell.
-- Needs KEYS: jobs, and lib/record.lua.
local function kind(id)
  local length = redis.call('HSTRLEN', jobs, id)
  if length > MAX_ENVELOPE then
    return 'e', 0
  end
  local value = redis.call('HGET', jobs, id)
  if not value then
    return '', 0
  end
  return is_record(value) and 'r' or 'e', length
end

-- What was found: three of each, a letter for the flaw, what it is about, and whether it was repaired.
--   d dangling, e ended, t twice, u untold, l leftover, n end of nothing, x unknown
local found = {}
local function find(flaw, what, repaired)
  local n = #found
  found[n + 1], found[n + 2], found[n + 3] = flaw, what, repaired and 1 or 0
end

-- The ids in 'id NUL id …', of a text that may hold anything.
local function names_in(text)
  local ids = {}
  for id in string.gmatch(text, '[^%z]+') do
    ids[#ids + 1] = id
  end
  return ids
end
