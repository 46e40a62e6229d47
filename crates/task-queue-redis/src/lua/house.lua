-- Housekeeping, by claims, heartbeats and stats: each step bounded. A claim for many tasks does more of it, so that what
-- comes due and what is to be forgotten never outrun the work.
local STEP = 100
-- More due tasks than this are not moved at once, though a claim may ask for a thousand: each costs as much as to claim it.
local PROMOTE = 400

local function promote(now, most)
  for _, key in ipairs({ DELAYED, RETRY }) do
    local due = call('ZRANGEBYSCORE', key, '-inf', now, 'LIMIT', 0, most)
    if #due > 0 then
      call('ZREMRANGEBYRANK', key, 0, #due - 1) -- these very ones, without a search for each
      local by = {}
      for i = 1, #due do
        local p, id = string.byte(due[i], 1), string.sub(due[i], 2)
        local s = key == RETRY and state(id) or {}
        if is_suspect(s) then
          suspect(id, s, now)
          keep(id, s)
        else
          by[p] = by[p] or {}
          table.insert(by[p], id)
        end
      end
      for p, ids in pairs(by) do ready(p, ids) end
    end
  end
end

local function expire(now)
  local ids = call('ZRANGEBYSCORE', EXPIRY, '-inf', now, 'LIMIT', 0, STEP)
  for i = 1, #ids do
    local id, s = ids[i], state(ids[i])
    local rec = call('HGET', TASKS, id)
    call('ZREM', EXPIRY, id)
    if rec and s.x and not s.s and call('HEXISTS', RUN, id) == 0 then
      unplace(id, string.byte(rec, 3), s)
      finish(id, s, 'X', 'expired', now, 'tE')
    end
  end
end

-- Forgets everything of an incarnation but that it is closed and what it holds.
local function forget(inc)
  call('ZREM', LEASES, inc)
  call('HDEL', REG, inc)
  call('HDEL', KNOWS, inc)
  call('HDEL', SEEN, inc)
  call('DEL', INBOX .. inc, BELL .. inc, CALL .. inc)
  if call('HGET', META, 'tw') == inc then -- another takes the clock over
    call('HDEL', META, 'tw', 'td')
    wake()
  end
end

local function reap(now, grace, some)
  local dead = now >= grace and call('ZRANGEBYSCORE', LEASES, '-inf', now, 'LIMIT', 0, 10) or {}
  for i = 1, #dead do
    call('ZADD', CLOSED, int(now + HOUR), dead[i])
    call('ZADD', DYING, int(now), 'l' .. dead[i])
    forget(dead[i])
  end
  if not some and #dead == 0 then return end
  -- several may have died together, and one that held nothing must not keep back the tasks of the next
  local left = STEP
  while left > 0 do
    local dying = call('ZRANGE', DYING, 0, 0)[1]
    if not dying then break end
    local given = give_back(string.sub(dying, 2), string.sub(dying, 1, 1), now, left)
    left = left - math.max(given, 1)
  end
end

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

-- 1 if more final tasks could be replayed than are kept so: their params are dropped by whoever can read them.
local function over_params()
  local cap = tonumber(call('HGET', META, 'capP') or 100000)
  return call('ZCARD', REPLAYABLE) > cap and 1 or 0
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

local function house(now, grace, meta, tasks)
  local most = math.min(1000, math.max(2 * STEP, 2 * (tasks or 0)))
  local some = call('EXISTS', DELAYED, RETRY, EXPIRY, DYING) > 0
  if some then promote(now, math.min(most, PROMOTE)) end
  reap(now, grace, some)
  if some then expire(now) end
  if now - meta.swept >= 100 or now < meta.swept then
    local more = sweep(now, most)
    if not more then call('HSET', META, 'swept', int(now)) end
    if now >= grace then give_up_names(now) end
    snapshot(now)
  end
end

-- Renews the lease of an incarnation, or registers it: nil if that needs its registration, false if it is closed.
local function alive(inc, lease, now, label, names, about)
  if closed(inc) then return false end
  -- 0: it is not there, or has this very time
  if call('ZADD', LEASES, 'XX', 'CH', int(now + lease), inc) == 0 and not call('ZSCORE', LEASES, inc) then
    if not label then return nil end
    call('HSETNX', RUN, '', PAD)
    call('HSET', REG, inc, about)
    call('HSET', KNOWS, inc, names)
    call('HSET', LABEL, inc, label)
    call('HSET', GENS, string.match(inc, '^[^.]*'), inc)
    call('HSET', SEEN, inc, int(now) .. ',0')
    call('ZADD', LEASES, int(now + lease), inc)
  end
  return true
end

-- Those of the unknown names that it knows; they are known by a live worker from now on.
local function knows(inc, now)
  local found, mine = {}, nil
  local names = call('ZRANGE', UNKNOWN, 0, STEP - 1)
  for i = 1, #names do
    mine = mine or call('HGET', KNOWS, inc) or ''
    if string.find(mine, '\n' .. names[i] .. '\n', 1, true) then
      found[#found + 1] = names[i]
      call('ZADD', UNKNOWN, int(now), names[i])
    end
  end
  return found
end

-- Tasks of a name that are suspects lie behind the others of their list.
local function named_suspect(name)
  local last = call('ZREVRANGE', NAMED .. name, 0, 0, 'WITHSCORES')[2]
  return last and tonumber(last) >= BEHIND
end

-- Whether this one is asked to run empty for a suspect that it may take: one live incarnation at a time.
local function asked_to_run_empty(inc, known)
  local waits = call('EXISTS', SUSPECTS) == 1
  for i = 1, #known do waits = waits or named_suspect(known[i]) end
  if not waits or call('HEXISTS', ALONE, inc) == 1 or call('HEXISTS', META, 'paused') == 1 then return 0 end
  local asked = call('HGET', META, 'asked')
  if asked and asked ~= inc and call('ZSCORE', LEASES, asked) then return 0 end
  if asked ~= inc then call('HSET', META, 'asked', inc) end
  return 1
end
