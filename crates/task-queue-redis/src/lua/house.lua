-- Housekeeping, by claims, heartbeats and stats: each step bounded. A claim for many tasks does more of it, so that what is
-- to be forgotten never outruns the work; what is due can't be claimed before it is moved.
local STEP = 100
local HOUR = 3600000 -- an incarnation that is closed is remembered so long

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

-- What is due, dead or expired; a claim for many tasks does more of it.
local function house(now, grace, tasks)
  local some = call('EXISTS', DELAYED, RETRY, EXPIRY, DYING) > 0
  if some then promote(now, tasks) end
  reap(now, grace, some)
  if some then expire(now) end
end
