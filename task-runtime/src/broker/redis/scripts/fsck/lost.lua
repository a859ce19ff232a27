-- fsck/lost: which of the suspects stand nowhere at this moment, and what is known of them.
-- KEYS: jobs state marks scheduled dead parked workers few alone ready:* others:*
-- ARGV: now or '', how many, ids, then the incarnations whose running sets are `others`
-- Returns {incarnations} when those given are not those there are, else of each {id, the first 4096
--       bytes of its envelope, state or false}, after an empty list.
local count, ids = tonumber(ARGV[2]), {}
for i = 1, count do
  ids[i] = ARGV[2 + i]
end
local free_ones, registered = free(ids, 3 + count)
if not free_ones then
  return {registered}
end
local answer = {{}}
for _, id in ipairs(ids) do
  if free_ones[id] then
    answer[#answer + 1] = {id, string.sub(stored(id), 1, 4096), beside(id)}
  end
end
return answer
