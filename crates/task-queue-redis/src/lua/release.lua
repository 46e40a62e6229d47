-- Closes a start for good, and gives back a bounded part of what it holds.
-- KEYS 1 base
-- ARGV 1 incarnation (any generation closes all) 2 most tasks
-- reply tasks given back in this call, 1 if it is to be called again
-- guarantees every write of it is refused from the first call on; idempotent; what a caller leaves, housekeeping gives back
local start, left, more = string.match(ARGV[1], '^[^.]*'), tonumber(ARGV[2]), false
call('ZADD', CLOSED, int(now + HOUR), start)
local current = call('HGET', GENS, start)
local incs = { ARGV[1] }
if current and current ~= ARGV[1] then incs[2] = current end
for i = 1, #incs do
  forget(incs[i])
  local reason = call('ZSCORE', DYING, 'l' .. incs[i]) and 'l' or 'r'
  call('ZADD', DYING, int(now), reason .. incs[i])
  local given, rest = give_back(incs[i], reason, now, left)
  left, more = left - given, more or rest
end
return { tonumber(ARGV[2]) - left, more and 1 or 0 }
