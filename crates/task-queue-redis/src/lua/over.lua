-- 1 if more final tasks could be replayed than are kept so: their params are dropped by whoever can read them.
local function over_params()
  local cap = tonumber(call('HGET', META, 'capP') or 100000)
  return call('ZCARD', REPLAYABLE) > cap and 1 or 0
end
