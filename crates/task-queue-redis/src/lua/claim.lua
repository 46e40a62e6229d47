-- Gives due tasks to a worker.
-- KEYS 1 base
-- ARGV 1 incarnation 2 number of the claim 3 acked 4 most tasks 5 most bytes 6 lease ms 7 idle 0|1
--      8 label 9 names, each in line ends 10 registration (8 to 10 only when it registers)
-- reply REG (call again with the registration) | CLOSED | OK, now, more 0|1, ms to the next due task or -1,
--       run empty 0|1, paused 0|1, alone 0|1 (it holds a suspect), tasks (each: token@start, view)
-- guarantees the number again gives the same tasks as far as they are still held by it; one that is acked or eight
--       behind gives none; one that gave none may be asked again. Housekeeping is done also where nothing is given.
--       `wake` holds the token after it if anything is ready and the queue is not paused.
local inc, number, acked = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local most, bytes_left, idle = tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[7] == '1'
local now, grace = clock()
local here = alive(inc, tonumber(ARGV[6]), now, ARGV[8], ARGV[9], ARGV[10])
if here == nil then return { 'REG' } end
if not here then return { 'CLOSED' } end
house(now, grace, most)
local known = knows(inc, now)
call('DEL', CALL .. inc) -- it is here

local tasks = {}
local held = inc .. ':' .. ARGV[2] .. '@' .. int(now)
local log = CLAIMS .. inc
-- a claim is remembered in one of sixteen places, so that no more than sixteen are, and those beyond the acknowledged
-- one, eight at most, have a place each
local slot = tostring(number % 16)
local past = call('HMGET', log, 'acked', 'high', slot)
local was_acked, high = tonumber(past[1] or 0), tonumber(past[2] or 0)
if acked > was_acked then
  for n = math.max(was_acked + 1, acked - 7), acked do call('HDEL', log, n % 16) end
  call('HSET', log, 'acked', acked)
  was_acked = acked
end
local paused = call('HGET', META, 'paused') and 1 or 0
local alone = call('HEXISTS', ALONE, inc)

-- Whether more is due that it may take.
local function more_due()
  if paused == 1 then return 0 end
  for i = 1, #known do
    local head = call('ZRANGE', NAMED .. known[i], 0, 0, 'WITHSCORES')[2]
    if head and tonumber(head) < BEHIND then return 1 end
  end
  return call('EXISTS', LEVELS)
end

if number <= was_acked or number + 8 <= high then
  return { 'OK', int(now), more_due(), -1, 0, paused, alone, tasks }
end
local given = past[3] and cmsgpack.unpack(past[3])
if given and given[1] == number then
  local ids = given[2]
  for i = 1, #ids do
    local have = call('HGET', RUN, ids[i])
    if have and token_of(have) == inc .. ':' .. ARGV[2] then tasks[#tasks + 1] = { have, view(ids[i]) } end
  end
  return { 'OK', int(now), more_due(), -1, asked_to_run_empty(inc, known), paused, alone, tasks }
end

local taken, runs = {}, {}
local voids = call('EXISTS', VOID) == 1
local states = call('HLEN', STATE) > 1

-- Takes one id that was taken off a list; false if its bytes don't fit any more.
local function take(id)
  if voids and call('HEXISTS', VOID, id) == 1 then
    if call('HINCRBY', VOID, id, -1) <= 0 then call('HDEL', VOID, id) end
    return true
  end
  local rec = call('HGET', TASKS, id)
  if not rec or string.sub(rec, 1, 1) ~= 'M' then return true end
  local raw = states and call('HGET', STATE, id)
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
    if #taken > 0 and #rec + #(s.b or '') > bytes_left then return false end
    bytes_left = bytes_left - #rec - #(s.b or '')
    if s.x then call('ZREM', EXPIRY, id) end
    if s.p then
      s.p = nil
      keep(id, s)
    end
  else
    if #taken > 0 and #rec > bytes_left then return false end
    bytes_left = bytes_left - #rec
  end
  taken[#taken + 1] = id
  tasks[#tasks + 1] = rec
  runs[#runs + 1] = id
  runs[#runs + 1] = held
  return true
end

local function runs_alone(id)
  if call('HGET', META, 'asked') == inc then call('HDEL', META, 'asked') end
  take(id)
  if #taken == 1 then
    call('HSET', ALONE, inc, id)
    alone = 1
  end
end
if paused == 0 and alone == 0 and most > 0 then
  local empty = idle and call('EXISTS', HELD .. inc) == 0
  local first = empty and call('ZRANGE', SUSPECTS, 0, 0)[1]
  if first then
    call('ZREM', SUSPECTS, first)
    runs_alone(first)
  end
  local full = #taken > 0
  for i = 1, #known do
    local name = NAMED .. known[i]
    while not full and #taken < most do
      local head = call('ZRANGE', name, 0, 0, 'WITHSCORES')
      if not head[1] then break end
      local suspected = tonumber(head[2]) >= BEHIND
      if suspected and not (empty and #taken == 0) then break end
      if suspected then
        call('ZREM', name, head[1])
        runs_alone(head[1])
        full = #taken > 0
      elseif take(head[1]) then
        call('ZREM', name, head[1])
      else
        full = true
      end
    end
    if call('EXISTS', name) == 0 then call('ZREM', UNKNOWN, known[i]) end
  end
  local dropped = 0
  while not full and #taken < most and dropped < 500 do
    local level = call('ZREVRANGE', LEVELS, 0, 0)[1]
    if not level then break end
    local want = most - #taken
    local ids = call('LPOP', READY .. level, want)
    if ids then
      for i = 1, #ids do
        local before = #taken
        if full or not take(ids[i]) then
          full = true -- the rest goes back, in its order
          for j = #ids, i, -1 do call('LPUSH', READY .. level, ids[j]) end
          break
        end
        if #taken == before then dropped = dropped + 1 end
      end
    end
    if not ids or call('EXISTS', READY .. level) == 0 then call('ZREM', LEVELS, level) end
  end
end

if #taken > 0 then
  call('HSET', RUN, unpack(runs))
  call('SADD', HELD .. inc, unpack(taken))
  call('HSET', log, slot, cmsgpack.pack({ number, taken }), 'high', math.max(high, number))
  for i = 1, #taken do
    local rec = tasks[i]
    if states and call('HEXISTS', STATE, taken[i]) == 1 then
      tasks[i] = { held, view(taken[i], rec) }
    else
      tasks[i] = { held, { taken[i], rec } }
    end
  end
end

local due = -1
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
  if at and not watched and #taken > 0 then
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
return { 'OK', int(now), more_due(), due, asked_to_run_empty(inc, known), paused, alone, tasks }
