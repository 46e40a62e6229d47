-- How the queue stands.
-- KEYS 1 base
-- ARGV –
-- reply now, counts (tasks, running, delayed, retry, suspects, unknown, C, F, S, X, stubs), meta (field, value, …),
--       views of the first live task of each ready list, workers (incarnation, registration, since,busy, end of the lease),
--       over 0|1 (trim is to be called)
-- guarantees counts are taken in one step; bounded by the numbers of names, levels and workers,
--      each at most 1000
house(now, grace)
if now - swept >= 100 or now < swept then tidy(now, grace) end
local unknown = 0
local names = call('ZRANGE', UNKNOWN, 0, 999)
for i = 1, #names do unknown = unknown + call('ZCARD', NAMED .. names[i]) end
local counts = {
  call('HLEN', TASKS), math.max(0, call('HLEN', RUN) - 1), call('ZCARD', DELAYED), call('ZCARD', RETRY),
  call('ZCARD', SUSPECTS), unknown, count_ended('C'), count_ended('F'), count_ended('S'), count_ended('X'),
  call('ZCARD', GONE),
}
local heads, workers = {}, {}
local levels = call('ZREVRANGE', LEVELS, 0, -1)
for i = 1, #levels do
  local ids = call('LRANGE', READY .. levels[i], 0, 9) -- stale entries may lie before it
  for j = 1, #ids do
    local seen = view(ids[j])
    if seen and seen[14] == 'P' then
      heads[#heads + 1] = seen
      break
    end
  end
end
local live = call('ZRANGE', LEASES, 0, 999, 'WITHSCORES')
for i = 1, #live, 2 do
  workers[#workers + 1] = { live[i], call('HGET', REG, live[i]) or '', call('HGET', SEEN, live[i]) or '', live[i + 1] }
end
return { time, counts, call('HGETALL', META), heads, workers, over_params() }
