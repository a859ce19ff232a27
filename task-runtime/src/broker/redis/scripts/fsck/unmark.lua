-- fsck/unmark: marks of cancelled jobs of which no list holds an entry, as the caller found: nothing
-- would ever take them away, and their ids could not be used again.
-- KEYS: jobs marks few alone ready:*
-- ARGV: now or '', repair (0, 1), ids
-- Returns those that are still marked and near no end of a list.
local there, left = in_line_near_an_end(), {}
for i = 3, #ARGV do
  if not there[ARGV[i]] and redis.call('HGET', marks, ARGV[i]) == 'cancelled' then
    left[#left + 1] = ARGV[i]
    if ARGV[2] == '1' then
      redis.call('HDEL', marks, ARGV[i])
    end
  end
end
return left
