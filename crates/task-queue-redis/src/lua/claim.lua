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
local inc, number, acked, most = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
if closed(inc) then return { 'CLOSED' } end
if not leased(inc, now + ARGV[6]) then
  if not ARGV[8] then return { 'REG' } end
  rarely().register(inc, now + ARGV[6], now, ARGV[8], ARGV[9], ARGV[10])
end

-- Heartbeats do it more often. Before what is odd is looked at: entries become void by it.
if now - swept >= 5000 or now < swept then rarely().tidy(now, grace, most) end

-- most queues have none of these, and most claims nothing to do for those that have
local odd, due, expired = false, nil, nil
if call('EXISTS', DELAYED, RETRY, EXPIRY, DYING, UNKNOWN, SUSPECTS, VOID, ALONE, CALL .. inc) > 0 then
  odd = call('EXISTS', DYING, UNKNOWN, SUSPECTS, VOID, ALONE, CALL .. inc) > 0
  due = next_due()
  expired = call('ZRANGEBYSCORE', EXPIRY, '-inf', time, 'LIMIT', '0', '1')[1]
end
local dead = now >= grace and call('ZRANGEBYSCORE', LEASES, '-inf', time, 'LIMIT', '0', '1')[1]
if odd or expired or dead then
  rarely().house(now, grace, most)
  odd = call('EXISTS', UNKNOWN, SUSPECTS, VOID, ALONE, CALL .. inc) > 0
  due = next_due()
elseif due and due <= now then
  schedules().promote(now, most)
  odd = call('EXISTS', SUSPECTS) == 1
  due = next_due()
end

local names, alone = nil, 0
if odd then
  names, alone = rarely().knows(inc, now), call('HEXISTS', ALONE, inc)
  call('DEL', CALL .. inc) -- it is here
end
local log = CLAIMS .. inc
local past = call('HMGET', log, 'acked', 'high', ARGV[2])
local was_acked, high = tonumber(past[1] or 0), tonumber(past[2] or 0)
local acks = acked > was_acked
local acked_text = acks and ARGV[3] or past[1] or '0'
if not acks then acked = was_acked end
local over, again = is_over(number, acked, high), past[3]
local levels = paused and {} or call('ZREVRANGE', LEVELS, '0', '1')
local held = inc .. ':' .. ARGV[2] .. '@' .. time
local got = nil -- what it is given
if not over and (levels[1] or odd or again) then
  got = { n = 0, left = tonumber(ARGV[5]), tasks = {}, taken = {}, runs = {}, held = held }
  got.voids = odd and call('EXISTS', VOID) == 1
end
if again and got then
  known().give_again(got, again)
elseif got and not paused and alone == 0 and most > 0 then
  local full, dropped = false, 0
  if odd then
    full = known().give_aside(got, take, inc, names, most, ARGV[7] == '1')
    alone = got.alone or 0
  end
  while levels[1] and not full and got.n < most and dropped < 500 do
    local key, before, asked = READY .. levels[1], got.n, most - got.n
    local ids = call('LPOP', key, asked) or {}
    local rest = take(got, ids)
    if rest then -- it goes back, in its order
      full = true
      for i = #ids, rest, -1 do call('LPUSH', key, ids[i]) end
    end
    dropped = dropped + #ids - (got.n - before)
    if not full and (#ids < asked or call('EXISTS', key) == 0) then
      call('ZREM', LEVELS, levels[1])
      levels = levels[2] and call('ZREVRANGE', LEVELS, '0', '1') or {}
    end
  end
end

local n, new_high = got and got.n or 0, high
if n > 0 then
  local high_text = past[2]
  if number > high then new_high, high_text = number, ARGV[2] end
  call('HSET', RUN, unpack(got.runs))
  call('HSET', HELD .. inc, ARGV[2], n)
  call('HSET', log, ARGV[2], table.concat(got.taken, '\n'), 'high', high_text, 'acked', acked_text)
  if got.marked then known().show(got) end
elseif acks then
  call('HSET', log, 'acked', acked_text)
end
for one = math.max(was_acked, high - IN_FLIGHT) + 1, math.min(high, math.max(acked, new_high - IN_FLIGHT)) do
  if call('HEXISTS', HELD .. inc, one) == 0 then call('HDEL', log, one) end
end

local wait, more = -1, levels[1] and 1 or 0
if paused then
  -- whoever resumes wakes
elseif levels[1] then
  wake() -- also where nothing new was given: the token may have been taken for it
elseif not over and not again then
  -- One worker watches the clock for the next due task, and one that was given tasks is busy with them: it leaves the
  -- token to one that has nothing to do. An earlier due time wakes another, which takes the clock over.
  local watch = due and call('HMGET', META, 'tw', 'td')
  local watched = due and watch[1] and watch[1] ~= inc and tonumber(watch[2]) == due and call('ZSCORE', LEASES, watch[1])
  if due and not watched and n > 0 then
    call('HDEL', META, 'tw', 'td')
    wake()
  else
    call('DEL', WAKE)
    if due and not watched then
      call('HSET', META, 'tw', inc, 'td', int(due))
      wait = math.max(0, due - now)
    end
  end
end
local run_empty = 0
if odd then
  if not paused and more == 0 then more = known().more_named(names) end
  if not over then run_empty = rarely().asked_to_run_empty(inc, names) end
end
return { 'OK', time, more, wait, run_empty, paused and 1 or 0, alone, got and got.held or held, got and got.tasks or {} }
