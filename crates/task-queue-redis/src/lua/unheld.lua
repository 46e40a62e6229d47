-- Gives back what a live worker does not hold, by its own word, of what its claims up to `upto` gave: the end of it was
-- lost, with other writes. `said` has what it holds, by number: how many, and their ids. At most `max` tasks; answers
-- whether there may be more.
local function give_back_unheld(inc, upto, said, now, max)
  local held = call('HRANDFIELD', HELD .. inc, 1000, 'WITHVALUES')
  local numbers = {}
  for i = 1, #held, 2 do
    local named = said[held[i]]
    if tonumber(held[i]) <= upto and tonumber(held[i + 1]) > (named and named.n or 0) then
      numbers[#numbers + 1] = held[i]
    end
  end
  if #numbers == 0 then return false end
  -- as of the dead, the last given come first
  table.sort(numbers, function(a, b) return tonumber(a) > tonumber(b) end)
  local found, looked_at, log = {}, 0, call('HMGET', CLAIMS .. inc, 'acked', 'high')
  for i = 1, #numbers do
    if #found >= max or looked_at >= 1000 then break end
    local number, ids, left = numbers[i], {}, 0
    for id in string.gmatch(call('HGET', CLAIMS .. inc, number) or '', '[^\n]+') do ids[#ids + 1] = id end
    looked_at = looked_at + #ids
    local named = {}
    for id in string.gmatch(said[number] and said[number].ids or '', '[^\n]+') do named[id] = true end
    local runs = #ids > 0 and call('HMGET', RUN, unpack(ids)) or {}
    for j = #ids, 1, -1 do
      if runs[j] and token_of(runs[j]) == inc .. ':' .. number then
        if not named[ids[j]] and #found < max then
          table.insert(found, 1, { id = ids[j], held = runs[j] })
        else
          left = left + 1
        end
      end
    end
    if left > 0 then call('HSET', HELD .. inc, number, left) else call('HDEL', HELD .. inc, number) end
    if left == 0 and is_over(tonumber(number), tonumber(log[1] or 0), tonumber(log[2] or 0)) then
      call('HDEL', CLAIMS .. inc, number)
    end
  end
  crash(inc, found, 'u', now)
  local alone = call('HGET', ALONE, inc)
  if alone and holder(call('HGET', RUN, alone) or '') ~= inc then call('HDEL', ALONE, inc) end
  return #found >= max or looked_at >= 1000
end
