-- Whether so much of the time to live has passed since `told` that the end of a session is to be moved on and its cookie sent anew;
-- also when the clock was set back.
local function is_due(told, ttl, percent)
  local passed = now - tonumber(told or 0)
  return passed < 0 or passed * 100 >= ttl * percent
end

-- Moves the end of a session on. `lifetime` counts from its beginning; 0 is none.
local function touch(key, created, ttl, lifetime, due)
  if due then
    redis.call('HSET', key, 'seen', int(now), 'told', int(now))
  else
    redis.call('HSET', key, 'seen', int(now))
  end
  local left = ttl
  if lifetime > 0 then
    left = math.max(1, math.min(left, (tonumber(created) or 0) + lifetime - now))
  end
  redis.call('PEXPIRE', key, int(left))
end
