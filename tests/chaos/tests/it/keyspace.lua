-- All structures of a named queue in one look, so that nobody changes them meanwhile: what contradicts itself.
-- KEYS 1 base
-- reply a line for each contradiction, none if there is none
local base, wrong = KEYS[1], {}
local function key(suffix) return base .. ':' .. suffix end
local function complain(...) wrong[#wrong + 1] = table.concat({ ... }, ' ') end
local function pairs_of(hash)
  local flat, found = redis.call('HGETALL', key(hash)), {}
  for i = 1, #flat, 2 do if flat[i] ~= '' then found[flat[i]] = flat[i + 1] end end
  return found
end

local records, states, runs = pairs_of('tasks'), pairs_of('state'), pairs_of('run')
local void, unlisted = pairs_of('void'), pairs_of('unlisted')
local function state(id) return states[id] and cmsgpack.unpack(states[id]) or {} end

-- id → the structures that it lies in
local places = {}
local function lies(id, place)
  places[id] = places[id] or {}
  table.insert(places[id], place)
end
for id in pairs(runs) do lies(id, 'run') end
for _, name in ipairs({ 'delayed', 'retry' }) do
  for _, member in ipairs(redis.call('ZRANGE', key(name), 0, -1)) do lies(string.sub(member, 2), name) end
end
for _, name in ipairs({ 'suspects', 'end:F', 'end:X', 'gone' }) do
  for _, id in ipairs(redis.call('ZRANGE', key(name), 0, -1)) do lies(id, name) end
end
local ready = redis.call('KEYS', key('ready:*'))
for _, list in ipairs(ready) do
  for _, id in ipairs(redis.call('LRANGE', list, 0, -1)) do
    if tonumber(void[id] or 0) > 0 then
      void[id] = void[id] - 1
    elseif not state(id).t then -- an entry that is known to be stale
      lies(id, string.sub(list, #base + 2))
    end
  end
end
for _, name in ipairs(redis.call('KEYS', key('named:*'))) do
  for _, id in ipairs(redis.call('ZRANGE', name, 0, -1)) do lies(id, string.sub(name, #base + 2)) end
end
for _, list in ipairs(redis.call('KEYS', key('result:*'))) do
  local kind = string.sub(list, #base + 9)
  for _, id in ipairs(redis.call('LRANGE', list, 0, -1)) do
    local entry = kind .. ':' .. id
    if tonumber(unlisted[entry] or 0) > 0 then
      unlisted[entry] = unlisted[entry] - 1
    else
      lies(id, 'result')
    end
  end
end

for id, record in pairs(records) do
  local where, first, s = places[id] or {}, string.sub(record, 1, 1), state(id)
  if #where ~= 1 then
    complain(id, 'lies in', #where, 'structures:', table.concat(where, ' '))
  else
    local place = string.match(where[1], '^[^:]*')
    local fits = (first == 'G' and place == 'gone')
      or (first == 'M' and s.s and where[1] == 'end:' .. s.s)
      or (first == 'M' and not s.s and place ~= 'end' and place ~= 'result' and place ~= 'gone')
      or (first ~= 'G' and first ~= 'M' and place == 'result')
    if not fits then complain(id, 'is', first, tostring(s.s), 'and lies in', where[1]) end
  end
end
for id, where in pairs(places) do
  if not records[id] then complain(id, 'is unknown, and lies in', table.concat(where, ' ')) end
end
for id in pairs(states) do
  if not records[id] then complain(id, 'is unknown, and has a state') end
end
for id in pairs(pairs_of('progress')) do
  if not runs[id] then complain(id, 'does not run, and has progress') end
end
for lock, id in pairs(pairs_of('uniq')) do
  local record = records[id]
  if not record or string.sub(record, 1, 1) ~= 'M' or state(id).s then complain(lock, 'is held by', id, 'which is not live') end
end
for _, id in ipairs(redis.call('ZRANGE', key('expiry'), 0, -1)) do
  if not records[id] then complain(id, 'is unknown, and expires') end
end
-- lists and their indexes
for _, list in ipairs(ready) do
  local level = string.match(list, ':(%d+)$')
  if not redis.call('ZSCORE', key('levels'), level) then complain('nobody looks into', list) end
end
for _, level in ipairs(redis.call('ZRANGE', key('levels'), 0, -1)) do
  if redis.call('EXISTS', key('ready:' .. level)) == 0 then complain('level', level, 'is empty, and looked into') end
end
-- what runs is held by somebody who is alive, or whose tasks are being given back
local held = {}
for id, token in pairs(runs) do
  local inc, number = string.match(token, '^(.*):(%d+)@')
  held[inc] = held[inc] or {}
  held[inc][number] = (held[inc][number] or 0) + 1
end
for inc, numbers in pairs(held) do
  local dying = redis.call('ZSCORE', key('dying'), 'r' .. inc) or redis.call('ZSCORE', key('dying'), 'l' .. inc)
  if not redis.call('ZSCORE', key('leases'), inc) and not dying then complain(inc, 'is nobody, and holds tasks') end
  for number, n in pairs(numbers) do
    local counted = redis.call('HGET', key('held:' .. inc), number)
    if tonumber(counted or 0) ~= n then complain(inc, 'holds', n, 'of claim', number, 'and is said to hold', tostring(counted)) end
  end
end
for _, name in ipairs(redis.call('KEYS', key('held:*'))) do
  local inc = string.sub(name, #base + 7)
  local flat = redis.call('HGETALL', name)
  for i = 1, #flat, 2 do
    if not (held[inc] and held[inc][flat[i]]) then complain(inc, 'holds nothing of claim', flat[i], 'and is said to hold', flat[i + 1]) end
  end
end
for _, name in ipairs(redis.call('KEYS', key('cancel:*'))) do
  local inc = string.sub(name, #base + 9)
  for _, id in ipairs(redis.call('SMEMBERS', name)) do
    if string.match(runs[id] or '', '^(.*):%d+@') ~= inc then complain(id, 'is not run by', inc, 'and is to be cancelled there') end
  end
end
-- whoever is idle must be told that there is work
if #ready > 0 and redis.call('HEXISTS', key('meta'), 'paused') == 0 and redis.call('LLEN', key('wake')) > 1 then
  complain('there is more than one token')
end
return wrong
