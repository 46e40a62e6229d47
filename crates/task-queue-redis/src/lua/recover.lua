-- Tasks of workers that are dead come back, in bounded steps.

-- The tasks of a closed incarnation that are to be given back next, at most `max`, with what they are held by. Those that it
-- was given last come first, since what comes to the front after them lies before them; but in their order.
local function next_held(inc, max)
  local numbers = call('HRANDFIELD', HELD .. inc, 1000)
  table.sort(numbers, function(a, b) return tonumber(a) > tonumber(b) end)
  local found, looked_at = {}, 0
  for i = 1, #numbers do
    if #found >= max or looked_at >= 1000 then break end
    local number = numbers[i]
    local ids, rest = {}, {}
    for id in string.gmatch(call('HGET', CLAIMS .. inc, number) or '', '[^\n]+') do ids[#ids + 1] = id end
    local last, before = #ids, #found
    while last > 0 and #found < max do
      local first = math.max(1, last - max + 1)
      local runs = call('HMGET', RUN, unpack(ids, first, last))
      for j = last, first, -1 do
        local mine = runs[j - first + 1] and token_of(runs[j - first + 1]) == inc .. ':' .. number
        if mine and #found < max then
          found[#found + 1] = { id = ids[j], held = runs[j - first + 1] }
        elseif mine then
          table.insert(rest, 1, ids[j])
        end
      end
      last = first - 1
    end
    looked_at = looked_at + #ids - last
    local left, kept = #rest, table.concat(rest, '\n')
    if last > 0 then -- those before it were not looked at
      left = (call('HGET', HELD .. inc, number) or 0) - (#found - before)
      kept = table.concat(ids, '\n', 1, last) .. (#rest > 0 and '\n' or '') .. kept
    end
    if left > 0 then
      call('HSET', HELD .. inc, number, left)
      call('HSET', CLAIMS .. inc, number, kept)
    else
      call('HDEL', HELD .. inc, number)
      call('HDEL', CLAIMS .. inc, number)
    end
  end
  local given = {}
  for i = #found, 1, -1 do given[#given + 1] = found[i] end
  return given
end

-- Where the reasons to give back what an incarnation held are counted: it was released, its lease ended, or it lives and
-- holds the task no more.
local RECOVERED = { r = 'tR', l = 'tL', u = 'tU' }

-- Gives these back, at most 1000: how their attempts ended is not known.
local function crash(inc, found, reason, now)
  local front = {}
  for i = 1, #found do
    local id, held = found[i].id, found[i].held
    local rec, s = call('HGET', TASKS, id), state(id)
    call('HDEL', RUN, id)
    s.a, s.c, s.x = (s.a or 0) + 1, (s.c or 0) + 1, nil
    s.lw, s.ls = call('HGET', LABEL, inc) or nil, tonumber(string.match(held, '@(%d+)$'))
    if call('SREM', CANCEL .. inc, id) == 1 then
      finish(id, s, 'X', 'asked', now)
    elseif s.c > string.byte(rec, 4) then
      finish(id, s, 'F', reason == 'u' and 'lost' or 'crashed', now)
    else
      call('HDEL', PROGRESS, id)
      if is_suspect(s) then
        suspect(id, s, now)
      else
        local p = string.byte(rec, 3)
        front[p] = front[p] or {}
        table.insert(front[p], id)
      end
      keep(id, s)
    end
  end
  for p, list in pairs(front) do ready(p, list, true) end
  if #found > 0 then call('HINCRBY', META, RECOVERED[reason], #found) end
end

-- Gives back the tasks of a closed incarnation, at most `max`; answers how many, and whether there may be more. With the
-- last of them goes the last trace of it.
local function give_back(inc, reason, now, max)
  local found = next_held(inc, max)
  local n = #found
  crash(inc, found, reason, now)
  if call('EXISTS', HELD .. inc) == 1 then return n, true end
  call('ZREM', DYING, reason .. inc)
  call('HDEL', ALONE, inc)
  call('HDEL', LABEL, inc)
  call('DEL', CANCEL .. inc, CLAIMS .. inc)
  local start = string.match(inc, '^[^.]*')
  if call('HGET', GENS, start) == inc then call('HDEL', GENS, start) end
  return n, false
end
