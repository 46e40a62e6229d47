-- Into a schedule, a time and a member each; wakes a worker if the next due is of them, so that one watches the clock.
local function schedule_all(key, entries)
  call('ZADD', key, unpack(entries))
  local head = call('ZRANGE', key, 0, 0)[1]
  for i = 2, #entries, 2 do
    if entries[i] == head then return wake() end
  end
end
