-- What was kept long enough is forgotten, in bounded steps.
local REMEMBER = 600000 -- an id is remembered at least so long after its end

-- Final tasks whose time is over; an id whose retention was shorter than ten minutes leaves a stub until then: its status
-- and fingerprint, or its message where that has to tell the fingerprint.
local function drop(status, ids, recs, now)
  if #ids == 0 then return end
  local gone, kept = {}, {}
  for i = 1, #ids do
    local id, rec, ended, print = ids[i], recs[i], 0, ''
    if rec and string.sub(rec, 1, 1) == 'M' then
      local s = state(id)
      ended, print = s.e or 0, s.fp or rec
      if s.t then call('HINCRBY', VOID, id, 1) end
      call('HDEL', STATE, id)
      call('ZREM', REPLAYABLE, id)
    elseif rec then
      ended, print = tonumber(string.sub(rec, 1, 13)), string.sub(rec, 28, 35)
    end
    if rec and ended + REMEMBER > now then
      call('HSET', TASKS, id, 'G' .. status .. print)
      kept[#kept + 1] = int(ended + REMEMBER)
      kept[#kept + 1] = id
    else
      gone[#gone + 1] = id
    end
  end
  if #gone > 0 then call('HDEL', TASKS, unpack(gone)) end
  if #kept > 0 then call('ZADD', GONE, unpack(kept)) end
end

-- Results of one list whose time is over, or else the first `over` of them; answers how many entries it took off.
local function drop_results(list, now, most, over)
  local key, kind = RESULT .. list, string.sub(list, 1, 1)
  local ids = call('LRANGE', key, 0, most - 1)
  local recs = #ids > 0 and call('HMGET', TASKS, unpack(ids)) or {}
  local voids = call('EXISTS', UNLISTED) == 1
  local passed, next_goes, dropped, records = 0, nil, {}, {}
  for i = 1, #ids do
    local rec, void = recs[i], list .. ':' .. ids[i]
    if voids and call('HEXISTS', UNLISTED, void) == 1 then
      if call('HINCRBY', UNLISTED, void, -1) <= 0 then call('HDEL', UNLISTED, void) end
    elseif rec and string.find(rec, '^%d') then
      local till = tonumber(string.sub(rec, 14, 26))
      if till > now and #dropped >= over then
        next_goes = till
        break
      end
      dropped[#dropped + 1] = ids[i]
      records[#records + 1] = rec
    end
    passed = i
  end
  drop(kind, dropped, records, now)
  if #dropped > 0 then call('HINCRBY', META, 'g' .. kind, #dropped) end
  if passed > 0 then call('LPOP', key, passed) end
  if next_goes then
    call('ZADD', RESULTS, int(next_goes), list)
  elseif call('EXISTS', key) == 0 then
    call('ZREM', RESULTS, list)
  end
  return passed, #dropped
end

-- At most `most` tasks; answers whether there may be more.
local function sweep(now, most)
  local left = most
  while left > 0 do
    local list = call('ZRANGEBYSCORE', RESULTS, '-inf', now, 'LIMIT', 0, 1)[1]
    if not list then break end
    left = left - math.max(1, drop_results(list, now, left, 0))
  end
  for _, status in ipairs({ 'F', 'X' }) do
    local ids = left > 0 and call('ZRANGEBYSCORE', END .. status, '-inf', now, 'LIMIT', 0, left) or {}
    if #ids > 0 then
      drop(status, ids, call('HMGET', TASKS, unpack(ids)), now)
      call('ZREMRANGEBYRANK', END .. status, 0, #ids - 1)
    end
    left = left - #ids
  end
  local gone = call('ZRANGEBYSCORE', GONE, '-inf', now, 'LIMIT', 0, most)
  if #gone > 0 then
    call('HDEL', TASKS, unpack(gone))
    call('ZREMRANGEBYRANK', GONE, 0, #gone - 1)
  end
  call('ZREMRANGEBYSCORE', CLOSED, '-inf', now)
  -- over the cap by count, results go before their time
  local cap = tonumber(call('HGET', META, 'cap') or 1000000)
  local over = math.min(count_ended('C') - cap, left)
  local lists = over > 0 and call('ZRANGE', RESULTS, 0, 99) or {}
  for i = 1, #lists do
    if over > 0 and string.sub(lists[i], 1, 1) == 'C' then
      local passed, dropped = drop_results(lists[i], now, left, over)
      call('HINCRBY', META, 'tD', dropped)
      over, left = over - dropped, left - passed
    end
  end
  return left <= 0 or #gone == most
end

-- Tasks of names that no live worker has known for ten minutes have failed.
local function give_up_names(now)
  local names = call('ZRANGEBYSCORE', UNKNOWN, '-inf', now - 600000, 'LIMIT', 0, 10)
  for i = 1, #names do
    local ids = call('ZRANGE', NAMED .. names[i], 0, STEP - 1)
    for j = 1, #ids do
      local s = state(ids[j])
      call('ZREM', NAMED .. names[i], ids[j])
      finish(ids[j], s, 'F', 'unknown', now)
    end
    if call('EXISTS', NAMED .. names[i]) == 0 then call('ZREM', UNKNOWN, names[i]) end
  end
end

-- Totals a minute ago, for the rates.
local function snapshot(now)
  local m = call('HMGET', META, 'sn', 'se', 'sf', 'tQ', 'tC', 'tF', 'tS', 'tX', 'tE')
  if m[1] and now - tonumber(m[1]) < 60000 then return end
  local ended = 0
  for i = 5, 9 do ended = ended + tonumber(m[i] or 0) end
  call('HSET', META, 'pn', m[1] or int(now), 'pe', m[2] or 0, 'pf', m[3] or 0)
  call('HSET', META, 'sn', int(now), 'se', m[4] or 0, 'sf', ended)
end

-- A claim for many tasks forgets more, so that it never outruns this. What is left is for the call after this.
local function tidy(now, grace, tasks)
  local more = sweep(now, math.max(2 * STEP, (tasks or 0) + STEP))
  call('HSET', META, 'swept', more and 0 or int(now))
  if now >= grace then give_up_names(now) end
  snapshot(now)
end
