-- Drops the params of final tasks that could be replayed, where more are kept than the cap says. Scripts don't read
-- messages: the client is given some, and brings them back without their params.
-- KEYS 1 base
-- ARGV 1 most tasks to answer; then n times (id, message without params, fingerprint)
-- reply now, n times (id, message) of the oldest over the cap
-- guarantees a task that was replayed or deleted meanwhile is left as it is; status, error and counts stay
for i = 2, #ARGV, 3 do
  local id = ARGV[i]
  local s = state(id)
  if s.s and call('ZREM', REPLAYABLE, id) == 1 then
    s.d, s.fp = 1, ARGV[i + 2]
    keep(id, s)
    call('HSET', TASKS, id, ARGV[i + 1])
  end
end
local cap = tonumber(call('HGET', META, 'capP') or 100000)
local over = math.min(call('ZCARD', REPLAYABLE) - cap, tonumber(ARGV[1]))
local answer = { time }
if over > 0 then
  local ids = call('ZRANGE', REPLAYABLE, 0, over - 1)
  local recs = call('HMGET', TASKS, unpack(ids))
  for i = 1, #ids do answer[#answer + 1] = { ids[i], recs[i] or '' } end
end
return answer
