-- What few claims give.

-- What is known of a task whose entry was taken off a list; none if the entry counts for nothing.
local function waits(id, has_message, raw, now)
  if call('HEXISTS', VOID, id) == 1 then
    if call('HINCRBY', VOID, id, -1) <= 0 then call('HDEL', VOID, id) end
    return nil
  end
  if not has_message then return nil end
  local s = raw and cmsgpack.unpack(raw) or {}
  if s.s then -- it ended while its entry lay in the list
    s.t = nil
    keep(id, s)
    return nil
  end
  if s.x and s.x <= now then
    finish(id, s, 'X', 'expired', now, 'tE')
    return nil
  end
  return s
end

-- It starts, as the n-th that this claim gives; the answer is to say what is known of it.
local function starts(id, s, got)
  if s.x then call('ZREM', EXPIRY, id) end
  if s.p then
    s.p = nil
    keep(id, s)
  end
  got.marked = got.marked or {}
  got.marked[#got.marked + 1] = got.n
end

local function show(got)
  for _, place in ipairs(got.marked) do
    got.tasks[2 * place - 1], got.tasks[2 * place] = '', view(got.taken[place], got.tasks[2 * place])
  end
end

-- What it gave before, as far as it is held by it.
local function give_again(got, ids)
  local token = token_of(got.held)
  for id in string.gmatch(ids, '[^\n]+') do
    local have = call('HGET', RUN, id)
    if have and token_of(have) == token then
      got.held = have
      got.tasks[#got.tasks + 1] = ''
      got.tasks[#got.tasks + 1] = view(id)
    end
  end
end

-- Suspects and tasks of names that not all know; answers whether nothing is to be given beside them.
local function give_aside(got, take, inc, known, most, idle)
  local empty = idle and call('EXISTS', HELD .. inc) == 0
  local function runs_alone(id)
    if call('HGET', META, 'asked') == inc then call('HDEL', META, 'asked') else suspect_left() end
    take(got, { id })
    if got.n == 1 then
      call('HSET', ALONE, inc, id)
      got.alone = 1
    end
  end
  local first = empty and call('ZRANGE', SUSPECTS, 0, 0)[1]
  if first then
    call('ZREM', SUSPECTS, first)
    runs_alone(first)
  end
  local full = got.n > 0
  for i = 1, #known do
    local name = NAMED .. known[i]
    while not full and got.n < most do
      local head = call('ZRANGE', name, 0, 0, 'WITHSCORES')
      if not head[1] then break end
      local suspected = tonumber(head[2]) >= BEHIND
      if suspected and not (empty and got.n == 0) then break end
      if suspected then
        call('ZREM', name, head[1])
        runs_alone(head[1])
        full = got.n > 0
      elseif take(got, { head[1] }) then
        full = true
      else
        call('ZREM', name, head[1])
      end
    end
    if call('EXISTS', name) == 0 then call('ZREM', UNKNOWN, known[i]) end
  end
  return full
end

-- 1 if more of these names is due that a worker may take which runs others, too.
local function more_named(known)
  for i = 1, #known do
    local head = call('ZRANGE', NAMED .. known[i], 0, 0, 'WITHSCORES')[2]
    if head and tonumber(head) < BEHIND then return 1 end
  end
  return 0
end
