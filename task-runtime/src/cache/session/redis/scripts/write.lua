-- write: checks everything, then writes everything or nothing, and moves the end of the session on. A session that
-- was ended, or got another id, takes nothing. A field that is `.NAME` may have its own end, `!NAME` in ms.
-- KEYS: session next_session
-- ARGV: 'create' or 'live', ttl ms of all, lifetime ms or 0, after which percent of the ttl it is moved on, most fields, most bytes of a value, most bytes,
--       tombstone ms, '' or '=' or '=USER', '' or 'cycle', '' or 'replace', '' or '=NAME' that is guarded, '' or
--       '=BYTES' that it must hold, '' or '=NAME' to count up, by how much, '' or the session's own ttl in ms, then for each field its name, 'set' or
--       'remove', the value, and how many ms it is kept: 0 with the session, -1 as before
-- Returns a word, or {'done', created, seen, user, own ttl, moved, sum or false}, {'differs', bytes or false},
-- {'long', name, bytes}, {'fields', n} or {'bytes', n}.
local FIRST = 17
local head = redis.call('HMGET', session, 'created', 'told', 'user', 'fields', 'bytes', 'soonest', 'ended', 'ttl')
local created, user = head[1], head[3]
local own = ARGV[16] ~= '' and ARGV[16] or head[8]
local ttl = tonumber(own or ARGV[2])
if head[7] then
  return 'ended'
elseif not created and ARGV[1] ~= 'create' then
  return 'unknown'
end
local count, bytes = tonumber(head[4] or 0), tonumber(head[5] or 0)

-- Fields whose time has come go first; `soonest` says whether there may be one.
local soonest = tonumber(head[6])
local function forget(name)
  local size = redis.call('HSTRLEN', session, '.' .. name)
  redis.call('HDEL', session, '.' .. name, '!' .. name)
  if size > 0 then
    count, bytes = count - 1, bytes - #name - size
  end
end
local function names(sign)
  local found = {}
  for _, key in ipairs(redis.call('HKEYS', session)) do
    if string.sub(key, 1, 1) == sign then
      found[#found + 1] = string.sub(key, 2)
    end
  end
  return found
end
if soonest and soonest <= now then
  soonest = nil
  for _, name in ipairs(names('!')) do
    local ends = tonumber(redis.call('HGET', session, '!' .. name))
    if ends <= now then
      forget(name)
    else
      soonest = math.min(soonest or ends, ends)
    end
  end
  redis.call('HSET', session, 'fields', count, 'bytes', bytes)
  if soonest then
    redis.call('HSET', session, 'soonest', int(soonest))
  else
    redis.call('HDEL', session, 'soonest')
  end
end

-- The checks.
if ARGV[12] ~= '' then
  local held = redis.call('HGET', session, '.' .. string.sub(ARGV[12], 2))
  if (held and '=' .. held or '') ~= ARGV[13] then
    return {'differs', held}
  end
end
local replace, named = ARGV[11] == 'replace', {}
local new_count, new_bytes = count, bytes
if replace then
  new_count, new_bytes = 0, 0
end
for i = FIRST, #ARGV, 4 do
  local name, value = ARGV[i], ARGV[i + 2]
  named[name] = true
  local before = replace and 0 or redis.call('HSTRLEN', session, '.' .. name)
  if before > 0 then
    new_count, new_bytes = new_count - 1, new_bytes - #name - before
  end
  if ARGV[i + 1] == 'set' then
    if #value > tonumber(ARGV[6]) then
      return {'long', name, #value}
    end
    new_count, new_bytes = new_count + 1, new_bytes + #name + #value
  end
end
local counted, before = nil, 0
if ARGV[14] ~= '' then
  counted = string.sub(ARGV[14], 2)
  before = redis.call('HSTRLEN', session, '.' .. counted)
  if before == 0 then
    -- Room for the longest number.
    new_count, new_bytes = new_count + 1, new_bytes + #counted + 20
  end
end
-- A session that is over a limit, because that was lowered, may shrink.
if new_count > tonumber(ARGV[5]) and new_count > count then
  return {'fields', new_count}
elseif new_bytes > tonumber(ARGV[7]) and new_bytes > bytes then
  return {'bytes', new_bytes}
end

-- The count comes first: it is the last that can be refused, and the server decides about 64 bits. What is not a
-- session yet has no such field, and nothing to be refused for.
local sum = false
if counted then
  local held = redis.call('HGET', session, '.' .. counted)
  if held and not (string.match(held, '^-?[1-9]%d*$') or held == '0') then
    return 'number'
  end
  local added = redis.pcall('HINCRBY', session, '.' .. counted, ARGV[15])
  if type(added) == 'table' then
    return 'number'
  end
  sum = redis.call('HGET', session, '.' .. counted)
  if before == 0 then
    count, bytes = count + 1, bytes + #counted
  end
  bytes = bytes - before + #sum
end

local due = is_due(head[2], ttl, tonumber(ARGV[4]))
if not created then
  created = int(now)
  redis.call('HSET', session, 'created', created)
  due = true
end
touch(session, created, ttl, tonumber(ARGV[3]), due)
if replace then
  for _, name in ipairs(names('.')) do
    if not named[name] then
      forget(name)
    end
  end
end
for i = FIRST, #ARGV, 4 do
  local name, value, kept = ARGV[i], ARGV[i + 2], tonumber(ARGV[i + 3])
  if ARGV[i + 1] == 'remove' then
    forget(name)
  else
    local size = redis.call('HSTRLEN', session, '.' .. name)
    if size == 0 then
      count, bytes = count + 1, bytes + #name
    end
    bytes = bytes - size + #value
    redis.call('HSET', session, '.' .. name, value)
    if kept > 0 then
      local ends = now + kept
      redis.call('HSET', session, '!' .. name, int(ends))
      soonest = math.min(soonest or ends, ends)
    elseif kept == 0 then
      redis.call('HDEL', session, '!' .. name)
    end
  end
end
redis.call('HSET', session, 'fields', count, 'bytes', bytes)
if soonest then
  redis.call('HSET', session, 'soonest', int(soonest))
end
if ARGV[16] ~= '' then
  redis.call('HSET', session, 'ttl', own)
end
if ARGV[9] == '=' then
  redis.call('HDEL', session, 'user')
  user = false
elseif ARGV[9] ~= '' then
  user = string.sub(ARGV[9], 2)
  redis.call('HSET', session, 'user', user)
end
if ARGV[10] == 'cycle' then
  redis.call('RENAME', session, next_session)
  bury(session, ARGV[8])
end
return {'done', created, int(now), user, own, due and 1 or 0, sum}
