-- How the queue stands.
-- KEYS 1 base
-- ARGV –
-- reply now, (tasks, running, delayed, retry, suspects, unknown, C, F, S, X, stubs), meta (field, value, …),
--       ids at the heads of the ready lists, workers (incarnation, registration, since,seen,busy)
-- guarantees counts are sizes of structures, taken in one step; bounded by the numbers of names, levels and workers
local now, grace = clock()
house(now, grace)
local unknown = 0
local names = call('ZRANGE', UNKNOWN, 0, 999)
for i = 1, #names do unknown = unknown + call('ZCARD', NAMED .. names[i]) end
local counts = {
  call('HLEN', TASKS), math.max(0, call('HLEN', RUN) - 1), call('ZCARD', DELAYED), call('ZCARD', RETRY),
  call('ZCARD', SUSPECTS), unknown, call('ZCARD', END .. 'C'), call('ZCARD', END .. 'F'), call('ZCARD', END .. 'S'),
  call('ZCARD', END .. 'X'), call('ZCARD', GONE),
}
local heads, workers = {}, {}
local levels = call('ZREVRANGE', LEVELS, 0, -1)
for i = 1, #levels do heads[#heads + 1] = call('LINDEX', READY .. levels[i], 0) or nil end
local live = call('ZRANGE', LEASES, 0, 999)
for i = 1, #live do
  workers[#workers + 1] = { live[i], call('HGET', REG, live[i]) or '', call('HGET', SEEN, live[i]) or '' }
end
return { int(now), counts, call('HGETALL', META), heads, workers }
