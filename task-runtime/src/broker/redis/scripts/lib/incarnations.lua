-- incarnations(): those of `workers`, at most 1000, without what programs of others put there.
-- Needs KEYS: workers.
local function incarnations()
  local there = {}
  for _, name in ipairs(redis.call('ZRANGE', workers, 0, 999)) do
    if string.find(name, '^[%w+]+$') then
      there[#there + 1] = name
    end
  end
  return there
end

