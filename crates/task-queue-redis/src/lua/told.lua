-- Tells whoever waits for its end; with its result, if it has one that is not long: that spares everybody a look.
local function told(id, result)
  if call('SREM', WAITING, id) == 0 then return end
  call('PUBLISH', base .. ':done', result and #result <= 256 and id .. '\n' .. result or id)
end

local function unlock(id, s)
  if s.u and call('HGET', UNIQ, s.u) == id then call('HDEL', UNIQ, s.u) end
end
