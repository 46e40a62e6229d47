-- Whether an incarnation is closed, or its start.
local function closed(inc)
  local till = call('ZMSCORE', CLOSED, inc, string.match(inc, '^[^.]*'))
  return till[1] or till[2]
end
