-- A page of one structure.
-- KEYS 1 base
-- ARGV 1 source: ready | suspects | named | delayed | run | retry | end:C | end:F | end:S | end:X, of which C and S are lists by retention 2 place 3 most
-- reply now, next place or '', views
-- guarantees reads at most `most` tasks, of `run` as many as fit whole buckets of its hash; what moves meanwhile may be seen twice or not at all
local source, place, most = ARGV[1], ARGV[2], tonumber(ARGV[3])
local from = tonumber(place) or 0
local ids, after, skip = {}, '', 1

local function range(command, key)
  ids = call(command, key, from, from + most - 1)
  if #ids == most then after = from + most end
end
-- Results, the last that ended first; an entry that a deletion left there is passed over.
local function results(key, from_end, to_end)
  local part, found = call('LRANGE', key, -1 - to_end, -1 - from_end), {}
  local list, size = string.sub(key, #RESULT + 1), call('LLEN', key)
  local voids = call('EXISTS', UNLISTED) == 1
  for i = #part, 1, -1 do
    local id = part[i]
    local rec = call('HGET', TASKS, id)
    local there = rec and string.find(rec, '^%d')
      and kept_with(string.sub(rec, 27, 27), string.sub(rec, 14, 26) - string.sub(rec, 1, 13)) == list
    if there and voids and call('HEXISTS', UNLISTED, list .. ':' .. id) == 1 then
      local at = size - 1 - from_end - (#part - i)
      there = call('LPOS', key, id, 'RANK', -1, 'MAXLEN', 10000) == at
    end
    found[#found + 1] = there and id or ''
  end
  return found
end
local function through(keys, length, range_of) -- several lists, one after the other
  local seen = 0
  for i = 1, #keys do
    local size = call(length, keys[i])
    if from < seen + size and #ids < most then
      local at = math.max(0, from - seen)
      local last = at + most - #ids - 1
      local part = range_of == results and results(keys[i], at, last) or call(range_of, keys[i], at, last)
      for j = 1, #part do ids[#ids + 1] = part[j] end
      from = from + #part
    end
    seen = seen + size
  end
  if from < seen then after = from end
end

if source == 'ready' then
  local keys = call('ZREVRANGE', LEVELS, 0, -1)
  for i = 1, #keys do keys[i] = READY .. keys[i] end
  through(keys, 'LLEN', 'LRANGE')
elseif source == 'named' then
  local keys = call('ZRANGE', UNKNOWN, 0, 999)
  table.sort(keys) -- each worker that knows one moves it in the zset
  for i = 1, #keys do keys[i] = NAMED .. keys[i] end
  through(keys, 'ZCARD', 'ZRANGE')
elseif source == 'suspects' then
  range('ZRANGE', SUSPECTS)
elseif source == 'delayed' then
  skip = 2
  range('ZRANGE', DELAYED)
elseif source == 'retry' then
  skip = 2
  range('ZRANGE', RETRY)
elseif source == 'run' and call('HLEN', RUN) <= 1001 then
  -- by id; the place is the last one that was read, behind a `>`
  local all, last = call('HKEYS', RUN), string.match(place, '^>(.*)$') or ''
  table.sort(all)
  for i = 1, #all do
    if all[i] > last then
      if #ids == most then
        after = '>' .. ids[most]
        break
      end
      ids[#ids + 1] = all[i]
    end
  end
elseif source == 'run' then
  -- too many to sort: bucket by bucket. A hash that grows or shrinks meanwhile may show one twice. A place in the middle
  -- of a bucket, `cursor+passed`, is only where it alone has more than fit.
  local cursor, passed = string.match(place, '^(%d+)%+(%d+)$')
  cursor, passed = cursor or '0', tonumber(passed or 0)
  for _ = 1, most + 20 do
    local page = call('HSCAN', RUN, cursor, 'COUNT', 1)
    local found = {}
    for i = 1, #page[2], 2 do
      if page[2][i] ~= '' then found[#found + 1] = page[2][i] end
    end
    if #ids > 0 and #ids + #found > most then break end
    for i = passed + 1, math.min(#found, passed + most) do ids[#ids + 1] = found[i] end
    if passed + most < #found then
      passed = passed + most
      break
    end
    cursor, passed = page[1], 0
    if cursor == '0' then break end
  end
  if cursor ~= '0' or passed > 0 then after = cursor .. '+' .. int(passed) end
elseif source == 'end:F' or source == 'end:X' then
  range('ZREVRANGE', base .. ':' .. source)
else
  local lists, keys = call('ZREVRANGE', RESULTS, 0, 999), {}
  for i = 1, #lists do
    if string.sub(lists[i], 1, 1) == string.sub(source, 5) then keys[#keys + 1] = RESULT .. lists[i] end
  end
  through(keys, 'LLEN', results)
end

local views = {}
for i = 1, #ids do
  local seen = ids[i] ~= '' and view(string.sub(ids[i], skip))
  -- a long ready list keeps entries of tasks that have ended or wait elsewhere
  local stale = source == 'ready' and seen and not (seen[14] == 'P' and seen[17] == '')
  if seen and not stale then views[#views + 1] = seen end
end
return { time, tostring(after), views }
