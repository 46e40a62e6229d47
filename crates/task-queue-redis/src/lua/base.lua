-- Shared by all: the clock, states of tasks, their ways and ends.
local KEEP = { C = 86400000, S = 86400000, X = 86400000, F = 604800000 } -- default retention, ms
local REMEMBER = 600000 -- an id is remembered at least so long after its end
local GAP, GRACE = 6000, 12000 -- an outage is no crash: after so long a silence nothing is reaped for so long
local HOUR = 3600000
local BEHIND = 1e15 -- added to a score that is a time: behind all that have none
-- a small hash is a list that is walked for each field; one long value makes it a table for good
local PAD = string.rep('.', 65)

local function int(n) return string.format('%.0f', n) end

-- The backend's time in ms: TIME, made monotonic by `tick`. A step back of over a minute is taken as it is.
-- `skew` exists in tests only. Also until when nothing is reaped, and what else each call reads: paused, swept, limit.
local function clock()
  local t, m = call('TIME'), call('HMGET', META, 'tick', 'skew', 'grace', 'paused', 'swept', 'limit')
  local now = t[1] * 1000 + math.floor(t[2] / 1000) + tonumber(m[2] or 0)
  local tick, grace = tonumber(m[1]), tonumber(m[3] or 0)
  if tick then
    if now < tick then
      if tick - now <= 60000 then
        now = tick
      else
        grace = now + GRACE
        call('HSET', META, 'tick', int(now), 'grace', int(grace))
      end
    elseif now - tick > GAP then
      grace = now + GRACE
      call('HSET', META, 'tick', int(now), 'grace', int(grace))
    end
  end
  if not tick or now - tick >= 100 then call('HSET', META, 'tick', int(now)) end
  return now, grace, { paused = m[4], swept = tonumber(m[5] or 0), limit = tonumber(m[6] or '') }
end

-- What is known of a task beyond its message; absent for a plain task that never ended an attempt. Fields:
-- s F|X final with its message kept; a, f, c, r, g attempts (ended), failures, crashes, releases, generation;
-- x expires at, until an attempt has ended; u unique lock; k retention and fp fingerprint, as its worker settled it; b, bt
-- the record that its worker settled last, and when;
-- o a cancel won over that; w why it ended here; e, n ended at, kept until; l how and by which token it was settled
-- last; lw, ls its last worker's label and start; t its entry still lies in a ready list; p where it waits aside
-- (`q` suspects, `n`+name); pg last progress; d its params were dropped.
local function state(id)
  local raw = call('HGET', STATE, id)
  return raw and cmsgpack.unpack(raw) or {}
end

local function keep_all(states) -- ids and packed states
  call('HSETNX', STATE, '', PAD)
  call('HSET', STATE, unpack(states))
end

local function keep(id, s) keep_all({ id, cmsgpack.pack(s) }) end

local function holder(held) return (string.match(held, '^([^:]*):')) end
local function token_of(held) return (string.match(held, '^(.*)@')) end
local function claim_of(held) return (string.match(held, ':(%d+)@')) end

-- Whether an answer of several has any.
local function any(list)
  for i = 1, #list do
    if list[i] then return true end
  end
  return false
end

-- The one place where a worker is woken: at most one token a queue, and it carries no work.
local function wake()
  if call('LLEN', WAKE) == 0 then call('RPUSH', WAKE, '1') end
end

-- Wakes those who know a name that not all know: the token might go to one who does not. Bounded: a worker or a name
-- beyond these numbers is found by the look that each worker takes every five seconds.
local function wake_knowing(names)
  local live = call('ZREVRANGE', LEASES, 0, 199)
  for i = 1, #live do
    local known = call('HGET', KNOWS, live[i]) or ''
    for j = 1, math.min(#names, 10) do
      if string.find(known, '\n' .. names[j] .. '\n', 1, true) then
        local list = CALL .. live[i]
        if call('LLEN', list) == 0 then call('RPUSH', list, '1') end
        call('PEXPIRE', list, 60000)
        break
      end
    end
  end
end

-- The one way into the ready lists; wakes. `ids` has at most 1000, in order.
local function ready(priority, ids, front)
  if #ids == 0 then return end
  if front then
    for i = #ids, 1, -1 do call('LPUSH', READY .. priority, ids[i]) end
  else
    call('RPUSH', READY .. priority, unpack(ids))
  end
  call('ZADD', LEVELS, priority, priority)
  wake()
end

-- A task whose worker died under it twice: it waits for a process of its own.
local function is_suspect(s) return (s.c or 0) >= 2 end

local function suspect(id, s, now)
  s.p = 'q'
  call('ZADD', SUSPECTS, int(now), id)
  wake()
end

-- Into a schedule, a time and a member each; wakes a worker if the next due is of them, so that one watches the clock.
local function schedule_all(key, entries)
  call('ZADD', key, unpack(entries))
  local head = call('ZRANGE', key, 0, 0)[1]
  for i = 2, #entries, 2 do
    if entries[i] == head then return wake() end
  end
end

local function schedule(key, due, priority, id)
  schedule_all(key, { int(due), string.char(priority) .. id })
end

-- Tells a worker's heartbeat to look.
local function ring(inc)
  if call('LLEN', BELL .. inc) == 0 then call('RPUSH', BELL .. inc, '1') end
  call('PEXPIRE', BELL .. inc, 60000)
end

-- A suspect waits no more: whoever was asked to run empty for it is to hear at once if none is left.
local function suspect_left()
  local asked = call('HGET', META, 'asked')
  if asked and call('ZSCORE', LEASES, asked) then ring(asked) end
end

local function closed(inc)
  local until_then = call('ZMSCORE', CLOSED, inc, string.match(inc, '^[^.]*'))
  return until_then[1] or until_then[2]
end

local function told(id) -- whoever waits for its end
  if call('SREM', WAITING, id) == 1 then call('PUBLISH', base .. ':done', id) end
end

local TOTAL = { C = 'tC', F = 'tF', S = 'tS', X = 'tX' }

local function unlock(id, s)
  if s.u and call('HGET', UNIQ, s.u) == id then call('HDEL', UNIQ, s.u) end
end

-- The retention that a message asks for. It is read out of the message, as scripts read nothing else of it: so few tasks
-- end here that a structure for it would cost all the others more. The params are cut out first: they are bytes, which this
-- library can't read, and may be long. What is written in another way than ours has the default retention at worst.
local function retention(id)
  local record = call('HGET', TASKS, id)
  local function asked()
    local _, at = string.find(record, '\161p[\196-\198]', 5)
    local digits, length = 2 ^ (string.byte(record, at) - 196), 0 -- of its length: one, two or four
    for i = at + 1, at + digits do length = 256 * length + string.byte(record, i) end
    local bare = string.sub(record, 5, at - 1) .. '\160' .. string.sub(record, at + digits + length + 1)
    return tonumber(cmsgpack.unpack(bare).k)
  end
  local read, asks = pcall(asked)
  return read and asks or nil
end

-- Results of one kind that are kept about equally long lie in one list, in the order in which they go: `kind:retention`,
-- which is rounded up to a 64th. `RESULTS` has when the first of each goes.
local function kept_with(kind, keep)
  local _, exponent = math.frexp(keep)
  local step = 2 ^ (exponent - 7)
  return kind .. ':' .. int(math.ceil(keep / step) * step)
end

local function keep_results(kind, keep, ids, till)
  local list = kept_with(kind, keep)
  if call('RPUSH', RESULT .. list, unpack(ids)) == #ids then call('ZADD', RESULTS, int(till), list) end
end

-- How many ended tasks of a status there are.
local function count_ended(status)
  if status == 'F' or status == 'X' then return call('ZCARD', END .. status) end
  local counts = call('HMGET', META, TOTAL[status], 'g' .. status)
  return (counts[1] or 0) - (counts[2] or 0)
end

-- The number of claims that an incarnation may have under way, and that are remembered.
local IN_FLIGHT = 8

-- What a claim gave is remembered until nothing of it is held and its answer has arrived, or can't be asked for again.
local function forget_claim(inc, number, acked, high)
  local over = tonumber(number) <= acked or number + IN_FLIGHT <= high
  if over and call('HEXISTS', HELD .. inc, number) == 0 then call('HDEL', CLAIMS .. inc, number) end
end

-- So many tasks that a claim gave are held no more.
local function let_go(inc, number, n)
  if call('HINCRBY', HELD .. inc, number, -n) > 0 then return end
  call('HDEL', HELD .. inc, number)
  local log = call('HMGET', CLAIMS .. inc, 'acked', 'high')
  forget_claim(inc, number, tonumber(log[1] or 0), tonumber(log[2] or 0))
end

-- Ends a task whose message is kept, so that it can be replayed.
local function finish(id, s, status, why, now, total)
  s.s, s.w, s.e, s.p = status, why, now, nil
  s.n = now + (s.k or retention(id) or KEEP[status])
  s.pg = call('HGET', PROGRESS, id) or nil
  if s.pg then call('HDEL', PROGRESS, id) end
  if s.x then call('ZREM', EXPIRY, id) s.x = nil end
  unlock(id, s)
  keep(id, s)
  call('ZADD', END .. status, int(s.n), id)
  call('ZADD', REPLAYABLE, int(now), id)
  call('HINCRBY', META, total or TOTAL[status], 1)
  told(id)
end

-- Takes a waiting task out of where it waits; a long ready list keeps a stale entry, marked in its state.
local function unplace(id, priority, s)
  local member = string.char(priority) .. id
  if s.p and is_suspect(s) then suspect_left() end
  if s.p == 'q' then
    call('ZREM', SUSPECTS, id)
  elseif s.p then
    local name = string.sub(s.p, 2)
    call('ZREM', NAMED .. name, id)
    if call('EXISTS', NAMED .. name) == 0 then call('ZREM', UNKNOWN, name) end
  elseif call('ZREM', DELAYED, member) == 0 and call('ZREM', RETRY, member) == 0 then
    if call('LLEN', READY .. priority) > 1000 or call('LREM', READY .. priority, 1, id) == 0 then s.t = 1 end
    if call('EXISTS', READY .. priority) == 0 then call('ZREM', LEVELS, priority) end
  end
  s.p = nil
end

-- Everything known of a task, flat, for the client to make its record of; false if the id is unknown.
-- id, record, attempts, failures, crashes, releases, generation, last settled record, when, why it ended here, a
-- cancel won, ended at, kept until, status, last label, last start, due, progress, cancel asked, token@start,
-- fingerprint if it can't be had from the record, params dropped
local function view(id, rec)
  rec = rec or call('HGET', TASKS, id)
  if not rec then return false end
  if string.sub(rec, 1, 1) ~= 'M' then return { id, rec } end
  local s = state(id)
  local held = call('HGET', RUN, id) or ''
  local status, label, due, asked = s.s or 'P', s.lw or '', '', 0
  if held ~= '' then
    local inc = holder(held)
    status, label = 'R', call('HGET', LABEL, inc) or ''
    asked = call('SISMEMBER', CANCEL .. inc, id)
  elseif not s.s and not s.p then
    local member = string.char(string.byte(rec, 3)) .. id
    due = call('ZSCORE', RETRY, member)
    if due then status = 'T' else due = call('ZSCORE', DELAYED, member) or '' end
  end
  return {
    id, rec, s.a or 0, s.f or 0, s.c or 0, s.r or 0, s.g or 0, s.b or '', s.bt or 0, s.w or '', s.o or 0, s.e or 0,
    s.n or 0, status, label, s.ls or 0, due, s.pg or call('HGET', PROGRESS, id) or '', asked, held,
    s.fp or '', s.d or 0,
  }
end
