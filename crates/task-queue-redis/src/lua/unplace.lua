-- Takes a waiting task out of where it waits; a long ready list keeps a stale entry, marked in its state.
local function unplace(id, priority, s)
  local member = string.char(priority) .. id
  if s.p and is_suspect(s) then suspect_left() end
  if s.p == 'q' then
    call('ZREM', SUSPECTS, id)
  elseif s.p then
    local name = string.sub(s.p, 2)
    call('ZREM', NAMED .. name, id)
    if call('EXISTS', NAMED .. name) == 0 then call('ZREM', UNKNOWN, name) end
  elseif call('ZREM', DELAYED, member) == 0 and call('ZREM', RETRY, member) == 0 then
    if call('LLEN', READY .. priority) > 1000 or call('LREM', READY .. priority, 1, id) == 0 then s.t = 1 end
    if call('EXISTS', READY .. priority) == 0 then call('ZREM', LEVELS, priority) end
  end
  s.p = nil
end
