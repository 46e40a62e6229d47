local function told(id) -- whoever waits for its end
  if call('SREM', WAITING, id) == 1 then call('PUBLISH', base .. ':done', id) end
end

local function unlock(id, s)
  if s.u and call('HGET', UNIQ, s.u) == id then call('HDEL', UNIQ, s.u) end
end
