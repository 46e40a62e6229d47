-- Hears in which run of its server a queue is used. In another than before, or where none is known, nothing is reaped for a
-- while: a server that was away told nobody that it was, and those who work were cut off from it, perhaps for longer than
-- others.
-- KEYS 1 base
-- ARGV 1 the server's id of its run
-- reply now
-- guarantees a start of a worker that comes to the server within 12 s after the last restart is not taken for dead for it
local last = call('HGET', META, 'server')
if last ~= ARGV[1] then
  call('HSET', META, 'server', ARGV[1])
  if last or call('EXISTS', LEASES) == 1 then call('HSET', META, 'grace', int(math.max(grace, now + 12000))) end
end
return { time }
