-- Takes tasks in. Without allow-oom: over maxmemory it is refused before it runs.
-- KEYS 1 base
-- ARGV n times (id, record `M`…, priority, special); special is '' or
--      `start at,start in,expires at,expires in,retention,fingerprint,lock`, times in ms, the lock last as it may be any text
-- reply now, n times: 1 queued | 0 full | id of the owner of its unique key | view of the task that has this id
-- guarantees per task all or nothing; an id that is there is left as it is; a lock has one live owner
local now = clock()
local n = #ARGV / 4
local limit = tonumber(call("HGET", META, "limit") or "")
local room = nil
if limit then
  local waiting = call('HLEN', TASKS) - math.max(0, call('HLEN', RUN) - 1) - call('ZCARD', GONE)
  for _, status in ipairs({ 'C', 'F', 'S', 'X' }) do waiting = waiting - call('ZCARD', END .. status) end
  room = limit - waiting
end
local ids, answers = {}, { int(now) }
for i = 1, n do ids[i] = ARGV[4 * i - 3] end
local there = call('HMGET', TASKS, unpack(ids))
local seen, locks, sets, levels, new = {}, {}, {}, {}, {} -- `new` in their order, since levels are first in first out
for i = 1, n do
  local id, special = ids[i], ARGV[4 * i]
  local answer = 1
  if there[i] then
    answer = view(id, there[i])
  elseif seen[id] then
    answer = { id, seen[id] }
  else
    local lock, f = nil, nil
    if special ~= '' then
      f = { string.match(special, '^(%d*),(%d*),(%d*),(%d*),(%d*),(%x*),(.*)$') }
      lock = f[7] ~= '' and f[7]
    end
    local owner = lock and (locks[lock] or call('HGET', UNIQ, lock))
    if owner then
      answer = owner
    elseif room and room <= 0 then
      answer = 0
    else
      if room then room = room - 1 end
      local record, p = ARGV[4 * i - 2], tonumber(ARGV[4 * i - 1])
      seen[id] = record
      sets[#sets + 1] = id
      sets[#sets + 1] = record
      if lock then locks[lock] = id end
      new[#new + 1] = { id = id, p = p, f = f }
    end
  end
  answers[i + 1] = answer
end
if #sets > 0 then
  call('HSET', TASKS, unpack(sets))
  for i = 1, #new do
    local id, p, f = new[i].id, new[i].p, new[i].f
    local start = 0
    if f then
      start = tonumber(f[1]) or (tonumber(f[2]) and now + tonumber(f[2])) or 0
      local ends = tonumber(f[3]) or (tonumber(f[4]) and now + tonumber(f[4]))
      local s = {}
      if f[7] ~= '' then
        s.u = f[7]
        call('HSET', UNIQ, f[7], id)
      end
      if ends then
        s.x = ends
        call('ZADD', EXPIRY, int(ends), id)
      end
      if f[5] ~= '' then
        s.k = tonumber(f[5])
        s.fp = string.gsub(f[6], '%x%x', function(h) return string.char(tonumber(h, 16)) end)
      end
      if next(s) then keep(id, s) end
    end
    if start > now then
      schedule(DELAYED, start, p, id)
    else
      levels[p] = levels[p] or {}
      table.insert(levels[p], id)
    end
  end
  for p, list in pairs(levels) do ready(p, list) end
  call('HINCRBY', META, 'tQ', #sets / 2)
end
return answers
