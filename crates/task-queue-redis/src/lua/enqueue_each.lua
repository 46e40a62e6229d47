-- The rest of `enqueue`, where not all of a batch are new, plain, and fit.
local special = {}
for i = 3, first - 1, 6 do special[tonumber(ARGV[i])] = i end
local answers, locks, sets, new, seen = { time }, {}, {}, {}, {}
for i = 1, n do
  local id, at = ids[i], special[i]
  local record = ARGV[first + 2 * i - 1]
  local lock = at and ARGV[at + 5] ~= '' and ARGV[at + 5]
  local owner = lock and (locks[lock] or call('HGET', UNIQ, lock))
  local answer = 1
  if there[i] then
    answer = view(id, there[i])
  elseif seen[id] then
    answer = { id, seen[id] }
  elseif owner then
    answer = owner
  elseif room and room <= 0 then
    answer = 0
  else
    if room then room = room - 1 end
    seen[id] = record
    if lock then locks[lock] = id end
    sets[#sets + 1] = id
    sets[#sets + 1] = record
    new[#new + 1] = i
  end
  answers[i + 1] = answer
end
if #new == 0 then return answers end
call('HSET', TASKS, unpack(sets))
-- what goes into each structure, all of it at once
local list, places, later, expiries, states, holders = {}, {}, {}, {}, {}, {}
local function add(to, a, b)
  to[#to + 1] = a
  to[#to + 1] = b
end
for _, i in ipairs(new) do
  local id, at, start = ids[i], special[i], 0
  if at then
    local start_at, start_in = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
    local ends, ends_in, lock = tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4]), ARGV[at + 5]
    start = start_at or (start_in and now + start_in) or 0
    ends = ends or (ends_in and now + ends_in)
    if lock ~= '' then add(holders, lock, id) end
    if ends then add(expiries, int(ends), id) end
    if ends or lock ~= '' then add(states, id, cmsgpack.pack({ x = ends, u = lock ~= '' and lock or nil })) end
  end
  if start > now then
    local place = #priorities == 1 and 1 or i
    add(later, int(start), string.sub(priorities, place, place) .. id)
  else
    list[#list + 1] = id
    places[#places + 1] = i
  end
end
if #holders > 0 then call('HSET', UNIQ, unpack(holders)) end
if #expiries > 0 then call('ZADD', EXPIRY, unpack(expiries)) end
if #states > 0 then keep_all(states) end
if #later > 0 then schedule_all(DELAYED, later) end
make_ready(list, places)
call('HINCRBY', META, 'tQ', #new)
return answers
