-- Leaves in the place of a session that it is no more, for a while.
local function bury(key, tombstone_ms)
  redis.call('UNLINK', key)
  redis.call('HSET', key, 'ended', '1')
  redis.call('PEXPIRE', key, tombstone_ms)
end
