-- A page of one structure.
-- KEYS 1 base
-- ARGV 1 source: ready | suspects | named | delayed | run | retry | end:C | end:F | end:S | end:X 2 offset 3 most
-- reply now, next offset or -1, views
-- guarantees reads at most `most` tasks; what moves meanwhile may be seen twice or not at all
local now = clock()
local source, from, most = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local ids, after, skip = {}, -1, 1
local function range(command, key)
  ids = call(command, key, from, from + most - 1)
  if #ids == most then after = from + most end
end
local function through(keys, length, range_of) -- several lists, one after the other
  local seen = 0
  for i = 1, #keys do
    local size = call(length, keys[i])
    if from < seen + size and #ids < most then
      local at = math.max(0, from - seen)
      local part = call(range_of, keys[i], at, at + most - #ids - 1)
      for j = 1, #part do ids[#ids + 1] = part[j] end
    end
    seen = seen + size
  end
  if from + most < seen then after = from + most end
end
if source == 'ready' then
  local keys = call('ZREVRANGE', LEVELS, 0, -1)
  for i = 1, #keys do keys[i] = READY .. keys[i] end
  through(keys, 'LLEN', 'LRANGE')
elseif source == 'named' then
  local keys = call('ZRANGE', UNKNOWN, 0, 999)
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
elseif source == 'run' then
  local page = call('HSCAN', RUN, ARGV[2], 'COUNT', most)
  for i = 1, #page[2], 2 do if page[2][i] ~= '' then ids[#ids + 1] = page[2][i] end end
  after = page[1] == '0' and -1 or page[1]
else
  range('ZREVRANGE', base .. ':' .. source)
end
local views = {}
for i = 1, #ids do
  local seen = view(string.sub(ids[i], skip))
  if seen and not (source == 'ready' and seen[14] ~= 'P') then views[#views + 1] = seen end
end
return { int(now), tostring(after), views }
