-- The clock, by which all scripts but one go on: `now` is the backend's time in ms, TIME made monotonic by `tick`. A step back of
-- over a minute is taken as it is. `skew` exists in tests only. Until `grace` nothing is reaped. And what else each call
-- reads: whether the queue is `paused`, when it was `swept`, its `limit`. `time` is `now` as text: each number that is given
-- to a command is written out by it anew.
local now, time, grace, paused, swept, limit
do
  local GAP, GRACE = 6000, 12000 -- an outage is no crash: after so long a silence nothing is reaped for so long
  local t, m = call('TIME'), call('HMGET', META, 'tick', 'skew', 'grace', 'paused', 'swept', 'limit')
  local tick = tonumber(m[1])
  now, grace = t[1] * 1000 + math.floor(t[2] / 1000) + (m[2] or 0), tonumber(m[3] or 0)
  paused, swept, limit = m[4], tonumber(m[5] or 0), tonumber(m[6] or '')
  local gap = tick and now - tick or GAP
  if gap < 0 and gap >= -60000 then now, gap = tick, 0 end
  time = int(now)
  if tick and (gap < 0 or gap > GAP) then
    grace = now + GRACE
    call('HSET', META, 'tick', time, 'grace', int(grace))
  elseif gap >= 100 then
    call('HSET', META, 'tick', time)
  end
end
