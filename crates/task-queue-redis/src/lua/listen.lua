-- What is known of a task whose end is waited for. That is most often one that was just enqueued: then its message tells all.
-- KEYS 1 base
-- ARGV 1 id
-- reply 0, its id and message; or now, a view or nil
-- guarantees whoever was answered a live task is told on the channel base:done when it ends
local id = ARGV[1]
local rec = call('HGET', TASKS, id)
if rec and string.sub(rec, 1, 1) == 'M' and call('HEXISTS', STATE, id) == 0 then
  call('SADD', WAITING, id)
  return { 0, { id, rec } }
end
return known().all_of(id, rec)
