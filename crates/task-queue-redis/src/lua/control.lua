-- What a named queue is told.
-- KEYS 1 base
-- ARGV 1 pause | resume | limit (2: number or '') | replay (2: id) | delete (2: id) | purge (2: most tasks)
--      | tell (2: incarnation 3: command) | cap, capP (2: most results, most params of final tasks that are kept, or '')
-- reply now, done n [more] | status view | duplicate id | dropped | none
-- guarantees resume wakes; a replay takes the unique key or changes nothing; a purge is called until it has no more
local what, id = ARGV[1], ARGV[2]

if what == 'pause' then
  call('HSET', META, 'paused', 1)
  return { time, 'done', 0, 0 }
elseif what == 'resume' then
  call('HDEL', META, 'paused')
  wake() -- whatever is ready or due; the claim that it causes deletes it if there is nothing
  local names = call('ZRANGE', UNKNOWN, 0, 9)
  if #names > 0 then wake_knowing(names) end
  return { time, 'done', 0, 0 }
elseif what == 'limit' or what == 'cap' or what == 'capP' then
  if id == '' then call('HDEL', META, what) else call('HSET', META, what, id) end
  return { time, 'done', 0, 0 }
elseif what == 'tell' then
  if not call('ZSCORE', LEASES, id) then return { time, 'none' } end
  local number = int(call('HINCRBY', META, 'told', 1))
  if call('LLEN', INBOX .. id) < 1000 then call('RPUSH', INBOX .. id, number .. ':' .. ARGV[3]) end
  ring(id)
  return { time, 'done', 0, 0 }
elseif what == 'purge' then
  local most, n = tonumber(id), 0
  local function ended(one, place)
    if place == 'ready' and call('HEXISTS', VOID, one) == 1 then -- the entry of one that was deleted
      if call('HINCRBY', VOID, one, -1) <= 0 then call('HDEL', VOID, one) end
      return
    end
    local rec, s = call('HGET', TASKS, one), state(one)
    if not rec or string.sub(rec, 1, 1) ~= 'M' then return end
    if s.s then
      s.t = nil
      keep(one, s)
      return
    end
    finish(one, s, 'X', 'purged', now)
    n = n + 1
  end
  local looked = 0
  local function each(ids, skip, place)
    looked = looked + #ids
    for i = 1, #ids do ended(string.sub(ids[i], skip), place) end
    return #ids
  end
  while looked < most do
    local level = call('ZRANGE', LEVELS, 0, 0)[1]
    if not level then break end
    each(call('LPOP', READY .. level, most - looked) or {}, 1, 'ready')
    if call('EXISTS', READY .. level) == 0 then call('ZREM', LEVELS, level) end
  end
  for _, key in ipairs({ DELAYED, RETRY, SUSPECTS }) do
    local ids = looked < most and call('ZRANGE', key, 0, most - looked - 1) or {}
    if #ids > 0 then
      call('ZREM', key, unpack(ids))
      each(ids, key == SUSPECTS and 1 or 2)
    end
  end
  while looked < most do
    local name = call('ZRANGE', UNKNOWN, 0, 0)[1]
    if not name then break end
    local ids = call('ZRANGE', NAMED .. name, 0, most - looked - 1)
    if #ids > 0 then call('ZREM', NAMED .. name, unpack(ids)) end
    each(ids, 1)
    if call('EXISTS', NAMED .. name) == 0 then call('ZREM', UNKNOWN, name) end
  end
  return { time, 'done', n, looked >= most and 1 or 0 }
end

local rec = call('HGET', TASKS, id)
if not rec then return { time, 'none' } end
local s = state(id)
local status = string.sub(rec, 1, 1) == 'M' and s.s
if what == 'delete' then
  if string.sub(rec, 1, 1) == 'G' then
    call('ZREM', GONE, id)
  elseif string.sub(rec, 1, 1) == 'M' then
    if not status then return { time, 'status', view(id, rec) } end
    call('ZREM', END .. status, id)
    call('ZREM', REPLAYABLE, id)
    if s.t then call('HINCRBY', VOID, id, 1) end
    call('HDEL', STATE, id)
  else
    -- a long list keeps the entry, marked as void
    local kind = string.sub(rec, 27, 27)
    local list = kept_with(kind, string.sub(rec, 14, 26) - string.sub(rec, 1, 13))
    local key = RESULT .. list
    if call('LLEN', key) > 1000 or call('LREM', key, -1, id) == 0 then
      call('HINCRBY', UNLISTED, list .. ':' .. id, 1)
    elseif call('EXISTS', key) == 0 then
      call('ZREM', RESULTS, list)
    end
    call('HINCRBY', META, 'g' .. kind, 1)
  end
  call('HDEL', TASKS, id)
  return { time, 'done', 1, 0 }
end
-- replay
if string.sub(rec, 1, 1) == 'G' then return { time, 'none' } end
if not status then return { time, 'status', view(id, rec) } end
if s.d then return { time, 'dropped' } end
if s.u then
  local owner = call('HGET', UNIQ, s.u)
  if owner then return { time, 'duplicate', owner } end
  call('HSET', UNIQ, s.u, id)
end
call('ZREM', END .. status, id)
call('ZREM', REPLAYABLE, id)
s.g = (s.g or 0) + 1
local there = s.t
s.s, s.w, s.o, s.e, s.n, s.f, s.c, s.t, s.l, s.pg = nil, nil, nil, nil, nil, nil, nil, nil, nil, nil
keep(id, s)
if there then wake() else ready(string.byte(rec, 3), { id }) end
call('HINCRBY', META, 'tY', 1)
return { time, 'done', 1, 0 }
