-- How attempts end that are not all results of tasks that are held.

-- Results with headers that are made here: with their progress, or because a time is off.
local function headed(ids, records, from, lasts, now, till)
  local found = {}
  for i = 1, #ids do
    local rec, last = records[from + 2 * i - 1], lasts[i] or ''
    found[2 * i - 1] = ids[i]
    found[2 * i] = string.format('%013.0f%013.0f', now, till) .. string.sub(rec, 27, 35) .. string.char(#last) .. last
      .. string.sub(rec, 37)
  end
  if any(lasts) then call('HDEL', PROGRESS, unpack(ids)) end
  return found
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

local function others(now)
  local aside, asides = {}, {} -- names whose tasks were put aside
  local front = {} -- by priority, what is given back: all of it at once, so that it keeps its order

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
    call('HDEL', PROGRESS, id)
    if kind == 'T' then
      call('HINCRBY', META, 'tT', 1)
      keep(id, s)
      schedule_all(RETRY, { int(now + detail), string.char(p) .. id })
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

  -- One group. Results are left to the caller: their ids and records; and how many of all are done. Whose are not, is
  -- noted behind `total`.
  local function settle(kind, hold, detail, ids, runs, first, open, asked_of, undone, total)
    local plain, token = kind == 'C' or kind == 'S', token_of(hold)
    local width = plain and 2 or 3
    local left, records, done = {}, {}, 0
    for i = 1, #ids do
      local id, place, run = ids[i], first + width * (i - 1), runs[i]
      if open and run and token_of(run) == token then
        local asked = asked_of and call('SREM', CANCEL .. asked_of, id) == 1
        local record = ARGV[place + width - 1]
        done = done + 1
        if plain and not (asked and kind == 'S') then
          left[#left + 1] = id
          records[2 * #left - 1], records[2 * #left] = id, record
        else
          call('HDEL', RUN, id)
          local print = plain and string.sub(record, 28, 35) or ARGV[place + 1]
          attempt(kind, run, detail, id, print, plain and string.sub(record, 37) or record, asked)
        end
      else
        undone[total + i] = late(kind, hold, id, ARGV[place + width - 1], run)
      end
    end
    return left, records, done
  end

  local function give_back()
    for p, ids in pairs(front) do ready(p, ids, true) end
    if #asides > 0 then wake_knowing(asides) end
  end
  return { settle = settle, give_back = give_back }
end
