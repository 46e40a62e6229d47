-- Gives due tasks to a worker.
-- KEYS 1 base
-- ARGV 1 incarnation 2 number of the claim 3 acked 4 most tasks 5 most bytes 6 lease ms 7 idle 0|1
--      8 label 9 names, each in line ends 10 registration (8 to 10 only when it registers)
-- reply REG (call again with the registration) | CLOSED | OK, now, more 0|1, ms to the next due task or -1,
--       run empty 0|1, paused 0|1, alone 0|1 (it holds a suspect), token@start of its tasks, tasks (each: id, record; or
--       '', view, where more is known of it)
-- guarantees the number again gives the same tasks as far as they are still held by it; one that is acked or eight
--       behind gives none; one that gave none may be asked again. Housekeeping is done also where nothing is given.
--       `wake` holds the token after it if anything is ready and the queue is not paused.
local inc, number, acked = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local most, bytes_left, idle = tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[7] == '1'
local now, grace, meta = clock()
local here = alive(inc, tonumber(ARGV[6]), now, ARGV[8], ARGV[9], ARGV[10])
if here == nil then return { 'REG' } end
if not here then return { 'CLOSED' } end
house(now, grace, meta, most)
local rare = call('EXISTS', UNKNOWN, SUSPECTS, VOID, ALONE, CALL .. inc) > 0 -- most claims find none of it
local known = rare and knows(inc, now) or {}
if rare then call('DEL', CALL .. inc) end -- it is here

local tasks = {}
local held = inc .. ':' .. ARGV[2] .. '@' .. int(now)
local log = CLAIMS .. inc
local past = call('HMGET', log, 'acked', 'high', ARGV[2])
local was_acked, high = tonumber(past[1] or 0), tonumber(past[2] or 0)
local acks = acked > was_acked
if acks then
  for one = math.max(was_acked + 1, acked - IN_FLIGHT + 1), acked do forget_claim(inc, int(one), acked, high) end
  was_acked = acked
end
local paused = meta.paused and 1 or 0
local alone = rare and call('HEXISTS', ALONE, inc) or 0

-- Whether more is due that it may take.
local function more_due()
  if paused == 1 then return 0 end
  for i = 1, #known do
    local head = call('ZRANGE', NAMED .. known[i], 0, 0, 'WITHSCORES')[2]
    if head and tonumber(head) < BEHIND then return 1 end
  end
  return call('EXISTS', LEVELS)
end

-- Whoever sends a claim again may have taken the token for it, and takes nothing new.
local function pass_on()
  if paused == 0 and call('EXISTS', LEVELS) == 1 then wake() end
end

if number <= was_acked or number + IN_FLIGHT <= high then
  if acks then call('HSET', log, 'acked', acked) end
  pass_on()
  return { 'OK', int(now), more_due(), -1, 0, paused, alone, held, tasks }
end
if past[3] then
  if acks then call('HSET', log, 'acked', acked) end
  for id in string.gmatch(past[3], '[^\n]+') do
    local have = call('HGET', RUN, id)
    if have and token_of(have) == inc .. ':' .. ARGV[2] then
      held = have
      tasks[#tasks + 1] = ''
      tasks[#tasks + 1] = view(id)
    end
  end
  pass_on()
  return { 'OK', int(now), more_due(), -1, asked_to_run_empty(inc, known), paused, alone, held, tasks }
end

local taken, runs, n = {}, {}, 0
local marked = {} -- places of those of whom more is known
local voids = rare and call('EXISTS', VOID) == 1
local states = call('HLEN', STATE) > 1

-- Takes one id that was taken off a list; false if its bytes don't fit any more.
local function take(id, rec, raw)
  if voids and call('HEXISTS', VOID, id) == 1 then
    if call('HINCRBY', VOID, id, -1) <= 0 then call('HDEL', VOID, id) end
    return true
  end
  if not rec or string.byte(rec) ~= 77 then return true end -- an M
  local size = #rec
  if raw then
    local s = cmsgpack.unpack(raw)
    if s.s then -- it ended while its entry lay in the list
      s.t = nil
      keep(id, s)
      return true
    end
    if s.x and s.x <= now then
      finish(id, s, 'X', 'expired', now, 'tE')
      return true
    end
    size = size + #(s.b or '')
    if n > 0 and size > bytes_left then return false end
    if s.x then call('ZREM', EXPIRY, id) end
    if s.p then
      s.p = nil
      keep(id, s)
    end
    marked[#marked + 1] = n + 1
  elseif n > 0 and size > bytes_left then
    return false
  end
  bytes_left = bytes_left - size
  n = n + 1
  taken[n] = id
  tasks[2 * n - 1], tasks[2 * n] = id, rec
  runs[2 * n - 1], runs[2 * n] = id, held
  return true
end
local function take_one(id) return take(id, call('HGET', TASKS, id), call('HGET', STATE, id)) end

-- Takes what fits of these, which were taken off a list; the rest goes back, in its order.
local function take_all(ids, key)
  local i, step = 1, 16 -- records may be long: a few say how many are to be read at once
  while i <= #ids do
    local last = math.min(#ids, i + step - 1)
    local recs = call('HMGET', TASKS, unpack(ids, i, last))
    local raws = states and call('HMGET', STATE, unpack(ids, i, last)) or {}
    local before, bytes = n, bytes_left
    for j = i, last do
      if not take(ids[j], recs[j - i + 1], raws[j - i + 1]) then
        for k = #ids, j, -1 do call('LPUSH', key, ids[k]) end
        return false
      end
    end
    i = last + 1
    if n > before then step = math.max(1, math.floor(bytes_left * (n - before) / (bytes - bytes_left + 1))) end
  end
  return true
end

local function runs_alone(id)
  if call('HGET', META, 'asked') == inc then call('HDEL', META, 'asked') else suspect_left() end
  take_one(id)
  if n == 1 then
    call('HSET', ALONE, inc, id)
    alone = 1
  end
end
if paused == 0 and alone == 0 and most > 0 then
  local empty = idle and rare and call('EXISTS', HELD .. inc) == 0
  local first = empty and call('ZRANGE', SUSPECTS, 0, 0)[1]
  if first then
    call('ZREM', SUSPECTS, first)
    runs_alone(first)
  end
  local full = n > 0
  for i = 1, #known do
    local name = NAMED .. known[i]
    while not full and n < most do
      local head = call('ZRANGE', name, 0, 0, 'WITHSCORES')
      if not head[1] then break end
      local suspected = tonumber(head[2]) >= BEHIND
      if suspected and not (empty and n == 0) then break end
      if suspected then
        call('ZREM', name, head[1])
        runs_alone(head[1])
        full = n > 0
      elseif take_one(head[1]) then
        call('ZREM', name, head[1])
      else
        full = true
      end
    end
    if call('EXISTS', name) == 0 then call('ZREM', UNKNOWN, known[i]) end
  end
  local dropped = 0
  while not full and n < most and dropped < 500 do
    local level = call('ZREVRANGE', LEVELS, 0, 0)[1]
    if not level then break end
    local key, before = READY .. level, n
    local ids = call('LPOP', key, most - n)
    if ids then
      full = not take_all(ids, key)
      dropped = dropped + #ids - (n - before)
    end
    if not ids or call('EXISTS', key) == 0 then call('ZREM', LEVELS, level) end
  end
end

if n > 0 then
  call('HSET', RUN, unpack(runs))
  call('HSET', HELD .. inc, ARGV[2], n)
  call('HSET', log, ARGV[2], table.concat(taken, '\n'), 'high', math.max(high, number), 'acked', was_acked)
  if number > high then
    for past_one = math.max(1, high - IN_FLIGHT + 1), math.min(high, number - IN_FLIGHT) do
      forget_claim(inc, int(past_one), was_acked, number)
    end
  end
  for _, place in ipairs(marked) do
    tasks[2 * place - 1], tasks[2 * place] = '', view(taken[place], tasks[2 * place])
  end
end

if acks and n == 0 then call('HSET', log, 'acked', acked) end

local due, more = -1, more_due()
if paused == 1 then
  -- whoever resumes wakes
elseif call('EXISTS', LEVELS) == 1 then
  wake()
else
  -- One worker watches the clock for the next due task, and one that was given tasks is busy with them: it leaves the
  -- token to one that has nothing to do. An earlier due time wakes another, which takes the clock over.
  local at = nil
  for _, key in ipairs({ DELAYED, RETRY }) do
    local head = call('ZRANGE', key, 0, 0, 'WITHSCORES')[2]
    if head and (not at or tonumber(head) < at) then at = tonumber(head) end
  end
  local watch = at and call('HMGET', META, 'tw', 'td')
  local watched = at and watch[1] and watch[1] ~= inc and tonumber(watch[2]) == at and call('ZSCORE', LEASES, watch[1])
  if at and not watched and n > 0 then
    call('HDEL', META, 'tw', 'td')
    wake()
  else
    call('DEL', WAKE)
    if at and not watched then
      call('HSET', META, 'tw', inc, 'td', int(at))
      due = math.max(0, at - now)
    end
  end
end
local run_empty = rare and asked_to_run_empty(inc, known) or 0
return { 'OK', int(now), more, due, run_empty, paused, alone, held, tasks }
