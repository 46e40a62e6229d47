-- Wakes those who know a name that not all know: the token might go to one who does not. Bounded: a worker or a name
-- beyond these numbers is called by its next heartbeat.
local function wake_knowing(names)
  local live = call('ZREVRANGE', LEASES, 0, 199)
  for i = 1, #live do
    local known = call('HGET', KNOWS, live[i]) or ''
    for j = 1, math.min(#names, 10) do
      if string.find(known, '\n' .. names[j] .. '\n', 1, true) then
        call_one(live[i])
        break
      end
    end
  end
end
