-- Takes tasks in. Without allow-oom: over maxmemory it is refused before it runs.
-- KEYS 1 base
-- ARGV 1 priorities, a byte for each task, or one for all if they are the same 2 how many are special
--      then for each special one: its place, start at, start in, expires at, expires in, lock; times in ms, '' for none
--      then n times (id, record `M`…)
-- reply now, and nothing more if all are queued; else n times: 1 queued | 0 full | id of the owner of its unique key |
--      view of the task that has this id
-- guarantees per task all or nothing; an id that is there is left as it is; a lock has one live owner
local priorities, specials = ARGV[1], tonumber(ARGV[2])
local first = 3 + 6 * specials
local n, ids = (#ARGV - first + 1) / 2, {}
for i = 1, n do ids[i] = ARGV[first + 2 * i - 2] end

local room = nil
if limit then
  local waiting = call('HLEN', TASKS) - math.max(0, call('HLEN', RUN) - 1) - call('ZCARD', GONE)
  for _, status in ipairs({ 'C', 'F', 'S', 'X' }) do waiting = waiting - count_ended(status) end
  room = limit - waiting
end

-- Those of `list` behind each other in the ready lists of their priorities; `places` are theirs among all.
local function make_ready(list, places)
  if #priorities == 1 then return ready(string.byte(priorities), list) end
  local levels = {}
  for i = 1, #list do
    local p = string.byte(priorities, places and places[i] or i)
    local level = levels[p] or {}
    levels[p] = level
    level[#level + 1] = list[i]
  end
  for p, level in pairs(levels) do ready(p, level) end
end

local plain, there = specials == 0 and (not room or room >= n), nil
if plain and n == 1 then plain = call('HSETNX', TASKS, ids[1], ARGV[first + 1]) == 1 end
if not plain or n > 1 then
  there = call('HMGET', TASKS, unpack(ids))
  -- fewer are new if an id comes twice, of which the first counts: that is put right below
  plain = plain and not any(there) and call('HSET', TASKS, unpack(ARGV, first)) == n
end
if plain then
  make_ready(ids)
  call('HINCRBY', META, 'tQ', n)
  return { time }
end
