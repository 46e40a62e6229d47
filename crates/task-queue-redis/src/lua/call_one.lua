-- Calls one worker: it is to look, wherever it waits. Nobody takes the token of one that has ended.
local function call_one(inc)
  local list = CALL .. inc
  if call('LLEN', list) == 0 then call('RPUSH', list, '1') end
  call('PEXPIRE', list, 60000)
end
