-- When the next task is due that waits for its time; none for nothing.
local function next_due()
  local delayed = call('ZRANGE', DELAYED, '0', '0', 'WITHSCORES')[2]
  local retry = call('ZRANGE', RETRY, '0', '0', 'WITHSCORES')[2]
  delayed, retry = delayed and tonumber(delayed), retry and tonumber(retry)
  return delayed and retry and math.min(delayed, retry) or delayed or retry
end
