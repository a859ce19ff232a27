-- command: carries out a command of one key, and gives what is there then its end.
-- KEYS: key
-- ARGV: time to live in ms or '', name of the command, its other arguments
-- Returns what the command answers; a sum may be text.
local name = ARGV[2]
local answer = redis.call(name, key, unpack(ARGV, 3))
-- A number of Lua loses digits from 2^53 on.
if type(answer) == 'number' and math.abs(answer) >= 2 ^ 53 then
  if name == 'INCRBY' then
    answer = redis.call('GET', key)
  elseif name == 'HINCRBY' then
    answer = redis.call('HGET', key, ARGV[3])
  end
end
if ARGV[1] == '' then
  redis.call('PERSIST', key)
else
  redis.call('PEXPIRE', key, ARGV[1])
end
return answer
