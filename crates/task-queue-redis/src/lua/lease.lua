-- Moves the lease of an incarnation; whether it has one.
local function leased(inc, till)
  -- 0: it is not there, or has this very time
  return call('ZADD', LEASES, 'XX', 'CH', int(till), inc) == 1 or call('ZSCORE', LEASES, inc)
end
