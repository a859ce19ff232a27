-- What `jobs` holds of a job that has ended: '=' and its end record, in the place of its envelope,
-- which never begins like that. Putting one in the place of the other is much cheaper than a move
-- between two hashes.
local CANCELLED = '={"end":"cancelled"}'

local byte, RECORD = string.byte, 61

local function is_record(value)
  return value and byte(value) == RECORD
end

-- What `jobs` holds of a job; '' when that is too long to run, as only a program of others writes it:
-- to read all of it may take longer than anyone waits for the answer.
local MAX_ENVELOPE = 266240
local function stored(id)
  if redis.call('HSTRLEN', jobs, id) > MAX_ENVELOPE then
    return ''
  end
  return redis.call('HGET', jobs, id)
end

-- The record beside a job; nothing when it is too long to be one of ours. Needs KEYS: state.
local MAX_STATE = 131072
local function beside(id)
  if redis.call('HSTRLEN', state, id) > MAX_STATE then
    return false
  end
  return redis.call('HGET', state, id)
end

-- The record in a value of `jobs`, or nil when that is an envelope or nothing.
local function record_in(value)
  return is_record(value) and string.sub(value, 2) or nil
end
