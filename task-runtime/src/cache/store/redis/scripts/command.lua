-- command: carries out a command of one key, and gives what is there then its end.
-- KEYS: key
-- ARGV: time to live in ms or '', name of the command, its other arguments
-- Returns what the command answers.
local answer = redis.call(ARGV[2], key, unpack(ARGV, 3))
if ARGV[1] == '' then
  redis.call('PERSIST', key)
else
  redis.call('PEXPIRE', key, ARGV[1])
end
return answer
