-- fsck/ends: a page of the notes of which ends are kept, in done (from its tail towards its head) or kept.
-- A note names end records; what it names beside is taken out of it, and counted no more. Where a value is
-- long only its length is looked at: reading results would take longer than a script may.
-- KEYS: jobs done kept meta
-- ARGV: now or '', repair (0, 1), index (done, kept), cursor: for done how many entries were looked at
-- Returns {cursor or -1 when that was all, findings, ids of records that are named, how many ids are
--       named now}.
local repair, SHORT, MAX_ENTRIES, MAX_IDS = ARGV[2] == '1', 1024, 32, 256
local named, count = {}, 0

local function has_ended(id)
  return redis.call('HSTRLEN', jobs, id) > SHORT or is_record(redis.call('HGET', jobs, id))
end

-- The ids of an entry that name a record, and how many do not.
local function look_at(ids)
  local good = {}
  for _, id in ipairs(ids) do
    if has_ended(id) then
      good[#good + 1], named[#named + 1] = id, id
    else
      find('n', id, repair)
    end
  end
  count = count + (repair and #good or #ids)
  return good, #ids - #good
end

local function count_less(less)
  local total = done_facts()
  local oldest = string.match(redis.call('LINDEX', done, 0) or '0', '^%d+')
  note_done_facts(total - less, tonumber(oldest))
  write_news()
end

local function look_at_done(at, entry)
  local ms, _, names = read_entry(entry)
  if not ms then
    find('x', 'entry ' .. at, false)
    return
  end
  local good, gone = look_at(names_in(names))
  if gone == 0 or not repair then
    return
  elseif #good > 0 then
    redis.call('LSET', done, at, write_entry(ms, good, 1))
  else
    redis.call('LSET', done, at, '')
    redis.call('LREM', done, at < redis.call('LLEN', done) / 2 and 1 or -1, '')
  end
  count_less(gone)
end

if ARGV[3] == 'done' then
  local last = redis.call('LLEN', done) - tonumber(ARGV[4]) - 1
  if last < 0 then
    return {'-1', found, named, 0}
  end
  local first = math.max(0, last - MAX_ENTRIES + 1)
  local entries, at = redis.call('LRANGE', done, first, last), first
  for i = #entries, 1, -1 do
    at = first + i - 1
    look_at_done(at, entries[i])
    if #named + #found / 3 >= MAX_IDS then
      break
    end
  end
  return {at == 0 and '-1' or int(redis.call('LLEN', done) - at), found, named, count}
end

local page = redis.call('ZSCAN', kept, ARGV[4], 'COUNT', 4)
for i = 1, #page[2], 2 do
  local good, gone = look_at(names_in(page[2][i]))
  if gone > 0 and repair then
    if #good > 0 then
      redis.call('ZADD', kept, page[2][i + 1], table.concat(good, '\0'))
    end
    redis.call('ZREM', kept, page[2][i])
    redis.call('HINCRBY', meta, 'kept', -gone)
  end
end
return {page[1] == '0' and '-1' or page[1], found, named, count}
