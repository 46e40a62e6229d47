-- A worker's sign of life.
-- KEYS 1 base
-- ARGV 1 incarnation 2 lease ms 3 busy,concurrency 4 label 5 names 6 registration (4 to 6 '' unless it registers)
--      7 number of the last command that it heard 8 of claims up to this number it says what it holds (0 of none), but for
--      those behind it, each after a comma
--      9 of how many, and so often (number of the claim, how many tasks, their ids, a line each)
--      then n times (id, token, fraction and note)
-- reply REG | CLOSED | OK, now, run empty 0|1, cancels (id, token, …), commands (number:command), news 0|1 (there was a
--       ring), over 0|1 (trim is to be called), more 0|1 (it is to be sent again at once: more is given back)
-- guarantees moves the lease; progress of a token that is not the current one is dropped; commands are told until heard;
--       of claims that it speaks of, what it does not name is given back; whoever waits is woken if tasks lie there for
--       which no token does
local inc = ARGV[1]
if closed(inc) then return { 'CLOSED' } end
if not leased(inc, now + ARGV[2]) then
  if ARGV[4] == '' and ARGV[6] == '' then return { 'REG' } end
  rarely().register(inc, now + ARGV[2], now, ARGV[4], ARGV[5], ARGV[6])
end
-- most queues and workers have none of these
local some = call('EXISTS', LEVELS, DELAYED, RETRY, EXPIRY, DYING, UNKNOWN, SUSPECTS,
  HELD .. inc, CANCEL .. inc, INBOX .. inc, BELL .. inc) > 0
local upto, more, progress = tonumber(string.match(ARGV[8], '^%d+')), false, 10 + 3 * ARGV[9]
if some and upto > 0 and call('EXISTS', HELD .. inc) == 1 then
  local said = {}
  for i = 10, progress - 1, 3 do said[ARGV[i]] = { n = tonumber(ARGV[i + 1]), ids = ARGV[i + 2] } end
  for number in string.gmatch(ARGV[8], ',(%d+)') do said[number] = { n = math.huge } end
  more = rarely().give_back_unheld(inc, upto, said, now, 200)
end
local dead = now >= grace and call('ZRANGEBYSCORE', LEASES, '-inf', time, 'LIMIT', '0', '1')[1]
if dead or some and call('EXISTS', DELAYED, RETRY, EXPIRY, DYING) > 0 then rarely().house(now, grace) end
local over = 0
if now - swept >= 100 or now < swept then
  rarely().tidy(now, grace)
  over = over_params()
end
local seen = call('HGET', SEEN, inc)
local says = string.match(seen or time, '^%d+') .. ',' .. ARGV[3]
if says ~= seen then call('HSET', SEEN, inc, says) end
for i = progress, #ARGV, 3 do
  local held = call('HGET', RUN, ARGV[i])
  if held and token_of(held) == ARGV[i + 1] then
    call('HSET', PROGRESS, ARGV[i], string.format('%013.0f', now) .. ARGV[i + 2])
  end
end

local run_empty, cancels, commands, news = 0, {}, {}, 0
if some or dead then
  if not paused and call('EXISTS', LEVELS) == 1 then wake() end -- a token may have been lost with whoever took it
  if call('EXISTS', UNKNOWN, SUSPECTS) > 0 then
    local known = rarely().knows(inc, now)
    run_empty = rarely().asked_to_run_empty(inc, known)
    if not paused and (known[1] or call('EXISTS', SUSPECTS) == 1) then call_one(inc) end
  end
  news = call('DEL', BELL .. inc)
  if call('EXISTS', CANCEL .. inc) == 1 then
    local ids = call('SRANDMEMBER', CANCEL .. inc, 100)
    for i = 1, #ids do
      local held = call('HGET', RUN, ids[i])
      if held and holder(held) == inc then
        cancels[#cancels + 1] = ids[i]
        cancels[#cancels + 1] = token_of(held)
      end
    end
  end
  local heard = tonumber(ARGV[7])
  local function number_of(command)
    local number = string.match(command or '', '^(%d+):')
    return number and #number <= 15 and tonumber(number)
  end
  while heard > 0 do
    local number = number_of(call('LRANGE', INBOX .. inc, 0, 0)[1])
    if not number or number > heard then break end
    call('LPOP', INBOX .. inc)
  end
  commands = call('LRANGE', INBOX .. inc, 0, 99)
  for i = 1, #commands do -- what has no number can't be heard: it is told this once
    if not number_of(commands[i]) then call('LREM', INBOX .. inc, 1, commands[i]) end
  end
end
return { 'OK', time, run_empty, cancels, commands, news, over, more and 1 or 0 }
