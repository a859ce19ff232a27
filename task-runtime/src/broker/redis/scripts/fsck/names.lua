-- fsck/names: a page of the incarnations that have a lease or a step, or of what the queue remembers of
-- itself.
-- KEYS: workers steps meta
-- ARGV: now or '', key (workers, steps, meta), cursor
-- Returns {cursor, names}.
local page = ARGV[2] == 'workers' and redis.call('ZSCAN', workers, ARGV[3], 'COUNT', 100)
  or redis.call('HSCAN', ARGV[2] == 'meta' and meta or steps, ARGV[3], 'COUNT', 100)
local names = {}
for i = 1, #page[2], 2 do
  names[#names + 1] = page[2][i]
end
return {page[1], names}
