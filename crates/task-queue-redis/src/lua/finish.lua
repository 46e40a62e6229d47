-- Tasks that end and keep their messages.
local KEEP = { X = 86400000, F = 604800000 } -- default retention, ms

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
  call('HINCRBY', META, total or 't' .. status, 1)
  told(id)
end
