-- The one way into the ready lists; wakes. `ids` has at most 1000, in order.
local function ready(priority, ids, front)
  if #ids == 0 then return end
  priority = tostring(priority)
  local is_new = call('ZADD', LEVELS, priority, priority) == 1
  if front then
    local back = {}
    for i = #ids, 1, -1 do back[#back + 1] = ids[i] end
    call('LPUSH', READY .. priority, unpack(back))
  else
    call('RPUSH', READY .. priority, unpack(ids))
  end
  wake(is_new)
end
