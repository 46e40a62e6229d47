-- What is due goes into the ready lists; for a claim of many tasks as many, but not too many at once, though it may ask for
-- a thousand: each costs as much as to claim it.
local function promote(now, tasks)
  local most = math.min(math.max(200, tasks or 0), 256)
  for _, key in ipairs({ DELAYED, RETRY }) do
    local due = call('ZRANGEBYSCORE', key, '-inf', now, 'LIMIT', 0, most)
    if #due > 0 then
      call('ZREMRANGEBYRANK', key, 0, #due - 1) -- these very ones, without a search for each
      local by = {}
      for i = 1, #due do
        local p, id = string.byte(due[i], 1), string.sub(due[i], 2)
        local s = key == RETRY and state(id) or {}
        if is_suspect(s) then
          suspect(id, s, now)
          keep(id, s)
        else
          by[p] = by[p] or {}
          table.insert(by[p], id)
        end
      end
      for p, ids in pairs(by) do ready(p, ids) end
    end
  end
end
