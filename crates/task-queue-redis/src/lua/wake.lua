-- The one place where a worker is woken: at most one token a queue, and it carries no work. Where most likely there is
-- none, it is pushed without a look.
local function wake(likely_none)
  if not likely_none then
    if call('LLEN', WAKE) == 0 then call('RPUSH', WAKE, '1') end
  elseif call('RPUSH', WAKE, '1') > 1 then
    call('LPOP', WAKE)
  end
end
