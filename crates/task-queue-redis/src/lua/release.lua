-- Closes a start for good, and gives back a bounded part of what it holds.
-- KEYS 1 base
-- ARGV 1 incarnation (any generation closes all) 2 most tasks
-- reply tasks given back in this call, 1 if it is to be called again
-- guarantees every write of it is refused from the first call on; idempotent
local now = clock()
local start = string.match(ARGV[1], '^[^.]*')
call('ZADD', CLOSED, int(now + HOUR), start)
local current = call('HGET', GENS, start)
local n, more = 0, false
for _, inc in ipairs({ ARGV[1], current or ARGV[1] }) do
  forget(inc)
  local lost = call('ZSCORE', DYING, 'l' .. inc) and 'l' or 'r'
  if call('EXISTS', HELD .. inc) == 1 then call('ZADD', DYING, int(now), lost .. inc) end
  local given, left = give_back(inc, lost, now, tonumber(ARGV[2]) - n)
  n, more = n + given, more or left
  if n >= tonumber(ARGV[2]) then break end
end
if not more then call('HDEL', GENS, start) end
return { n, more and 1 or 0 }
