-- Ends attempts, fenced by their tokens.
-- KEYS 1 base
-- ARGV groups behind each other: kind, token@start, detail, when they ended by the client's reckoning, how many; then so
--      often (id, record) or, where the kind is not C or S, (id, fingerprint, record). The ids of a group differ.
--      Kinds: C|S final with the record behind its header (detail: retention ms), F|X final (detail: retention ms or ''),
--      T retry (detail: delay ms), R released, N name unknown (detail: the name); R and N have no record
-- reply now, and nothing more if all are done; else for each in turn 1 done | 2 already done | 0 stale
-- guarantees a token that is not the current one, or whose incarnation is closed, changes nothing; the result, the lock,
--      the counts, the waiters and the next start change in this one step
local now = clock()
local known = call('HLEN', STATE) > 1
local rare = call('EXISTS', WAITING, PROGRESS, ALONE) > 0
local waiting, progress = rare and call('EXISTS', WAITING) == 1, rare and call('EXISTS', PROGRESS) == 1
local answers, all_done = {}, true
local aside, asides = {}, {} -- names whose tasks were put aside
local front = {} -- by priority, what is given back: all of it at once, so that it keeps its order

-- How far a client's reckoning of the time may be behind before its times are put right.
local NEAR = 250

-- A result, of the header that its client gave it or, with a progress or a time that is off, of one made here.
local function header(rec, till, last)
  return string.format('%013.0f%013.0f', now, till) .. string.sub(rec, 27, 35) .. string.char(#last) .. last
    .. string.sub(rec, 37)
end

-- Results of tasks that are all held. Nothing is done for each of them that can be done for all.
local function results(kind, keep, ended, ids, first)
  local from, till = first, ended + keep
  local records = ARGV
  local lasts = progress and call('HMGET', PROGRESS, unpack(ids))
  if lasts and not any(lasts) then lasts = nil end
  if lasts or ended > now or now - ended > NEAR then
    records, from, till = {}, 1, now + keep
    for i = 1, #ids do
      records[2 * i - 1] = ids[i]
      records[2 * i] = header(ARGV[first + 2 * i - 1], till, lasts and lasts[i] or '')
    end
    if lasts then call('HDEL', PROGRESS, unpack(ids)) end
  end
  call('HSET', TASKS, unpack(records, from, from + 2 * #ids - 1))
  local states = known and call('HMGET', STATE, unpack(ids))
  if states and any(states) then
    for i = 1, #ids do
      if states[i] then unlock(ids[i], cmsgpack.unpack(states[i])) end
    end
    call('HDEL', STATE, unpack(ids))
  end
  keep_results(kind, keep, ids, till)
  call('HINCRBY', META, TOTAL[kind], #ids)
  local listened = waiting and call('SMISMEMBER', WAITING, unpack(ids)) or {}
  for i = 1, #listened do
    if listened[i] == 1 then told(ids[i]) end
  end
end

-- The end of an attempt that leaves the message as it is.
local function attempt(kind, hold, detail, id, print, record, asked)
  local s, rec = state(id), call('HGET', TASKS, id)
  local p = string.byte(rec, 3)
  if kind ~= 'N' then s.a, s.x = (s.a or 0) + 1, nil end
  if kind == 'T' or kind == 'F' then s.f = (s.f or 0) + 1 end
  if kind == 'R' then s.r = (s.r or 0) + 1 end
  s.l, s.lw, s.ls = kind .. token_of(hold), nil, nil
  if kind ~= 'N' then -- that was no run
    s.lw, s.ls = call('HGET', LABEL, holder(hold)) or nil, tonumber(string.match(hold, '@(%d+)$'))
  end
  if record ~= '' then
    s.b, s.bt, s.o = record, now, nil
  end
  if kind == 'F' or kind == 'X' or asked then
    if tonumber(detail) and kind ~= 'T' then s.k, s.fp = tonumber(detail), print end
    if asked and kind ~= 'X' then s.o = 1 end
    return finish(id, s, (asked or kind == 'X') and 'X' or 'F', nil, now)
  end
  if progress then call('HDEL', PROGRESS, id) end
  if kind == 'T' then
    call('HINCRBY', META, 'tT', 1)
    keep(id, s)
    schedule(RETRY, now + tonumber(detail), p, id)
  elseif kind == 'N' then
    s.p = 'n' .. detail
    keep(id, s)
    if s.x then call('ZADD', EXPIRY, int(s.x), id) end -- this was no start
    call('ZADD', NAMED .. detail, int(is_suspect(s) and now + BEHIND or now), id)
    if not call('ZSCORE', UNKNOWN, detail) then call('ZADD', UNKNOWN, int(now), detail) end
    if not aside[detail] then
      aside[detail] = true
      asides[#asides + 1] = detail
    end
  else
    call('HINCRBY', META, 'tP', 1)
    if is_suspect(s) then
      suspect(id, s, now)
    else
      front[p] = front[p] or {}
      table.insert(front[p], id)
    end
    keep(id, s)
  end
end

-- What a task that is not held by this token any more is answered.
local function late(kind, hold, id, record, run)
  local rec = call('HGET', TASKS, id)
  if run or not rec then return 0 end
  local first = string.sub(rec, 1, 1)
  if first == 'M' then return state(id).l == kind .. token_of(hold) and 2 or 0 end
  local plain = kind == 'C' or kind == 'S'
  return first ~= 'G' and plain and string.sub(rec, 37 + string.byte(rec, 36)) == string.sub(record, 37) and 2 or 0
end

local at = 1
while at < #ARGV do
  local kind, hold, detail, ended = ARGV[at], ARGV[at + 1], ARGV[at + 2], tonumber(ARGV[at + 3])
  local first, n = at + 5, tonumber(ARGV[at + 4])
  local plain = kind == 'C' or kind == 'S'
  local width = plain and 2 or 3
  at = first + width * n
  local ids = {}
  for i = 1, n do ids[i] = ARGV[first + width * (i - 1)] end
  local runs = call('HMGET', RUN, unpack(ids))
  local inc, number = holder(hold), claim_of(hold)
  local open = not closed(inc)
  local asks = open and call('EXISTS', CANCEL .. inc) == 1
  local held, whole = {}, open and plain and not asks
  for i = 1, n do
    -- the start is the client's to say, and for speed alone
    held[i] = open and runs[i] and (runs[i] == hold or token_of(runs[i]) == token_of(hold))
    if not held[i] then whole = false end
  end
  local done = 0
  if whole then
    done = n
    call('HDEL', RUN, unpack(ids))
    results(kind, tonumber(detail), ended, ids, first)
    for _ = 1, n do answers[#answers + 1] = 1 end
  else
    for i = 1, n do
      local id, place = ids[i], first + width * (i - 1)
      if held[i] then
        local asked = asks and call('SREM', CANCEL .. inc, id) == 1
        done = done + 1
        call('HDEL', RUN, id)
        if plain and not (asked and kind == 'S') then
          results(kind, tonumber(detail), ended, { id }, place)
        elseif plain then
          attempt(kind, runs[i], detail, id, string.sub(ARGV[place + 1], 28, 35), string.sub(ARGV[place + 1], 37), asked)
        else
          attempt(kind, runs[i], detail, id, ARGV[place + 1], ARGV[place + 2], asked)
        end
        answers[#answers + 1] = 1
      else
        all_done = false
        answers[#answers + 1] = late(kind, hold, id, ARGV[place + width - 1], runs[i])
      end
    end
  end
  if done > 0 then
    let_go(inc, number, done)
    local alone = rare and call('HGET', ALONE, inc)
    if alone and holder(call('HGET', RUN, alone) or '') ~= inc then call('HDEL', ALONE, inc) end
  end
end
for p, ids in pairs(front) do ready(p, ids, true) end
if #asides > 0 then wake_knowing(asides) end
if all_done then return { int(now) } end
return { int(now), unpack(answers) }
