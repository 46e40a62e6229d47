-- Cancels a task.
-- KEYS 1 base
-- ARGV 1 id
-- reply now, none | final, status or its view | asked | cancelled
-- guarantees a waiting task ends in this step; a running one never runs again unless it returns a value
local id = ARGV[1]
local rec = call('HGET', TASKS, id)
if not rec then return { time, 'none' } end
local held = call('HGET', RUN, id)
if held then
  local inc = holder(held)
  call('SADD', CANCEL .. inc, id)
  ring(inc)
  return { time, 'asked' }
end
local s = state(id)
if string.sub(rec, 1, 1) ~= 'M' or s.s then return { time, 'final', view(id, rec) } end
unplace(id, string.byte(rec, 3), s)
finish(id, s, 'X', 'cancelled', now)
return { time, 'cancelled' }
