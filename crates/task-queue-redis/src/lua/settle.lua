-- Ends attempts, fenced by their tokens.
-- KEYS 1 base
-- ARGV n times (id, token, kind, detail, fingerprint, record): kind C|S|F|X final (detail: retention ms or ''),
--      T retry (detail: delay ms), R released, N name unknown (detail: the name); R and N have no record
-- reply now, n times 1 done | 2 already done | 0 stale
-- guarantees a token that is not the current one, or whose incarnation is closed, changes nothing; the result, the lock,
--      the counts, the waiters and the next start change in this one step
local now = clock()
local n = #ARGV / 6
local answers, ids = { int(now) }, {}
for i = 1, n do ids[i] = ARGV[6 * i - 5] end
local runs = call('HMGET', RUN, unpack(ids))
local states = call('HLEN', STATE) > 1
local waiting, progress = call('EXISTS', WAITING) == 1, call('EXISTS', PROGRESS) == 1
local incs = {} -- incarnation → {closed, cancels, ids to leave}
local gone, sets = {}, {}
local ends, totals = { C = {}, S = {} }, {}
local seen = {}
local aside, asides = {}, {} -- names whose tasks were put aside

for i = 1, n do
  local o = 6 * i - 5
  local id, token, kind, detail = ids[i], ARGV[o + 1], ARGV[o + 2], ARGV[o + 3]
  local print, record = ARGV[o + 4], ARGV[o + 5]
  local inc = holder(token)
  local who = incs[inc]
  if not who then
    who = { closed = closed(inc), asks = call('EXISTS', CANCEL .. inc) == 1, left = {} }
    incs[inc] = who
  end
  local held = not seen[id] and runs[i]
  if who.closed or not held or token_of(held) ~= token then
    local answer = 0
    local rec = seen[id] or call('HGET', TASKS, id)
    if not held and rec then
      if string.sub(rec, 1, 1) == 'M' then
        if state(id).l == kind .. token then answer = 2 end
      elseif string.sub(rec, 1, 1) ~= 'G' and string.sub(rec, 36 + string.byte(rec, 35)) == record then
        answer = 2
      end
    end
    answers[i + 1] = answer
  else
    answers[i + 1] = 1
    who.left[#who.left + 1] = id
    gone[#gone + 1] = id
    local asked = who.asks and call('SREM', CANCEL .. inc, id) == 1
    if (kind == 'C' or kind == 'S') and not (asked and kind == 'S') then
      if states then
        local s = state(id)
        unlock(id, s)
        call('HDEL', STATE, id)
      end
      local last = progress and call('HGET', PROGRESS, id) or ''
      if last ~= '' then call('HDEL', PROGRESS, id) end
      local till = int(now + (tonumber(detail) or KEEP[kind]))
      local rec = string.format('%013.0f%013.0f', now, tonumber(till)) .. print .. string.char(#last) .. last .. record
      seen[id] = rec
      sets[#sets + 1] = id
      sets[#sets + 1] = rec
      table.insert(ends[kind], till)
      table.insert(ends[kind], id)
      totals[TOTAL[kind]] = (totals[TOTAL[kind]] or 0) + 1
      if waiting then told(id) end
    else
      local s, rec = state(id), call('HGET', TASKS, id)
      local p = string.byte(rec, 3)
      seen[id] = rec
      if kind ~= 'N' then s.a, s.x = (s.a or 0) + 1, nil end
      if kind == 'T' or kind == 'F' then s.f = (s.f or 0) + 1 end
      if kind == 'R' then s.r = (s.r or 0) + 1 end
      s.l, s.lw, s.ls = kind .. token, nil, nil
      if kind ~= 'N' then -- that was no run
        s.lw, s.ls = call('HGET', LABEL, inc) or nil, tonumber(string.match(held, '@(%d+)$'))
      end
      if record ~= '' then
        s.b, s.bt, s.o = record, now, nil
      end
      if kind == 'F' or kind == 'X' or asked then
        if tonumber(detail) and kind ~= 'T' then s.k, s.fp = tonumber(detail), print end
        if asked and kind ~= 'X' then s.o = 1 end
        finish(id, s, (asked or kind == 'X') and 'X' or 'F', nil, now)
      else
        if progress then call('HDEL', PROGRESS, id) end
        if kind == 'T' then
          totals.tT = (totals.tT or 0) + 1
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
          totals.tP = (totals.tP or 0) + 1
          if is_suspect(s) then
            suspect(id, s, now)
          else
            ready(p, { id }, true)
          end
          keep(id, s)
        end
      end
    end
  end
end
if #gone > 0 then call('HDEL', RUN, unpack(gone)) end
if #sets > 0 then call('HSET', TASKS, unpack(sets)) end
for kind, args in pairs(ends) do
  if #args > 0 then call('ZADD', END .. kind, unpack(args)) end
end
if #asides > 0 then wake_knowing(asides) end
for field, count in pairs(totals) do call('HINCRBY', META, field, count) end
for inc, who in pairs(incs) do
  if #who.left > 0 then
    call('SREM', HELD .. inc, unpack(who.left))
    local alone = call('HGET', ALONE, inc)
    if alone and call('SISMEMBER', HELD .. inc, alone) == 0 then call('HDEL', ALONE, inc) end
  end
end
return answers
