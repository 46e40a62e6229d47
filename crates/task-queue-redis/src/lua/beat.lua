-- A worker's sign of life.
-- KEYS 1 base
-- ARGV 1 incarnation 2 lease ms 3 busy,concurrency 4 label 5 names 6 registration (4 to 6 '' unless it registers)
--      7 number of the last command that it heard; then n times (id, token, fraction and note)
-- reply REG | CLOSED | OK, now, run empty 0|1, cancels (id, token, …), commands (number:command), news 0|1 (there was a
--       ring), over 0|1 (trim is to be called)
-- guarantees moves the lease; progress of a token that is not the current one is dropped; commands are told until heard
local inc = ARGV[1]
local now, grace, meta = clock()
local registers = ARGV[4] ~= '' or ARGV[6] ~= ''
local here = alive(inc, tonumber(ARGV[2]), now, registers and ARGV[4] or nil, ARGV[5], ARGV[6])
if here == nil then return { 'REG' } end
if not here then return { 'CLOSED' } end
house(now, grace, meta)
local known = knows(inc, now)
local since = string.match(call('HGET', SEEN, inc) or int(now), '^%d+')
call('HSET', SEEN, inc, since .. ',' .. ARGV[3])
for i = 8, #ARGV, 3 do
  local held = call('HGET', RUN, ARGV[i])
  if held and token_of(held) == ARGV[i + 1] then
    call('HSET', PROGRESS, ARGV[i], string.format('%013.0f', now) .. ARGV[i + 2])
  end
end
local news = call('DEL', BELL .. inc)
local cancels = {}
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
while heard > 0 do
  local number = string.match(call('LRANGE', INBOX .. inc, 0, 0)[1] or '', '^(%d+):')
  if not number or tonumber(number) > heard then break end
  call('LPOP', INBOX .. inc)
end
local commands = call('LRANGE', INBOX .. inc, 0, 99)
return { 'OK', int(now), asked_to_run_empty(inc, known), cancels, commands, news, over_params() }
