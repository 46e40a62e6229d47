-- Tasks that wait aside: suspects for a process of their own, others for a worker that knows their names.
local BEHIND = 1e15 -- added to a score that is a time: behind all that have none

local function suspect(id, s, now)
  s.p = 'q'
  call('ZADD', SUSPECTS, int(now), id)
  wake()
end

-- Tells a worker's heartbeat to look.
local function ring(inc)
  if call('LLEN', BELL .. inc) == 0 then call('RPUSH', BELL .. inc, '1') end
  call('PEXPIRE', BELL .. inc, 60000)
end

-- A suspect waits no more: whoever was asked to run empty for it is to hear at once if none is left.
local function suspect_left()
  local asked = call('HGET', META, 'asked')
  if asked and call('ZSCORE', LEASES, asked) then ring(asked) end
end
