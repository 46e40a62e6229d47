-- Puts a token back that was taken and not used.
-- KEYS 1 base
-- ARGV 1 suffix of the list: :wake | :call:incarnation
-- reply 1
-- guarantees a list of tokens holds one at most
local list = base .. ARGV[1]
if call('LLEN', list) == 0 then call('RPUSH', list, '1') end
if list ~= WAKE then call('PEXPIRE', list, 60000) end
return 1
