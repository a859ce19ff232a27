-- promote: due jobs, at most 100, → ready.
-- KEYS: scheduled wake meta ready:*
-- ARGV: now or ''
-- Returns how many.
local promoted = promote(100)
wake_up(promoted)
return promoted
