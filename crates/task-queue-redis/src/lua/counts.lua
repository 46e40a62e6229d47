-- How many ended tasks of a status there are.
local function count_ended(status)
  if status == 'F' or status == 'X' then return call('ZCARD', END .. status) end
  local counts = call('HMGET', META, 't' .. status, 'g' .. status)
  return (counts[1] or 0) - (counts[2] or 0)
end
