-- What keeps a task.
-- KEYS 1 base
-- ARGV 1 id 2 its name
-- reply now, view or nil, paused 0|1, live workers, those that know the name, tasks before it (at least), suspect 0|1
-- guarantees looks at no more than 10,000 entries of its ready list and 1000 workers
local id = ARGV[1]
local rec = call('HGET', TASKS, id)
if not rec then return { time, false } end
local live, knowing, before = call('ZRANGE', LEASES, 0, 999), 0, 0
for i = 1, #live do
  local names = call('HGET', KNOWS, live[i]) or ''
  if string.find(names, '\n' .. ARGV[2] .. '\n', 1, true) then knowing = knowing + 1 end
end
local s = state(id)
local aside = s.p ~= nil
if string.sub(rec, 1, 1) == 'M' and not s.s and not aside then
  local p = string.byte(rec, 3)
  local at = call('LPOS', READY .. p, id, 'MAXLEN', 10000)
  local levels = call('ZRANGE', LEVELS, 0, -1)
  for i = 1, #levels do
    if tonumber(levels[i]) > p then before = before + call('LLEN', READY .. levels[i]) end
  end
  before = before + (at or 0)
end
return { time, view(id, rec), call('HEXISTS', META, 'paused'), #live, knowing, before, s.p == 'q' and 1 or 0 }
