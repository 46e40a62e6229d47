-- Those of the unknown names that it knows; they are known by a live worker from now on.
local function knows(inc, now)
  local found, mine = {}, nil
  local names = call('ZRANGE', UNKNOWN, 0, STEP - 1)
  for i = 1, #names do
    mine = mine or call('HGET', KNOWS, inc) or ''
    if string.find(mine, '\n' .. names[i] .. '\n', 1, true) then
      found[#found + 1] = names[i]
      call('ZADD', UNKNOWN, int(now), names[i])
    end
  end
  return found
end

-- Tasks of a name that are suspects lie behind the others of their list.
local function named_suspect(name)
  local last = call('ZREVRANGE', NAMED .. name, 0, 0, 'WITHSCORES')[2]
  return last and tonumber(last) >= BEHIND
end

-- Whether this one is asked to run empty for a suspect that it may take: one live incarnation at a time.
local function asked_to_run_empty(inc, known)
  local waits = call('EXISTS', SUSPECTS) == 1
  for i = 1, #known do waits = waits or named_suspect(known[i]) end
  if not waits or call('HEXISTS', ALONE, inc) == 1 or call('HEXISTS', META, 'paused') == 1 then return 0 end
  local asked = call('HGET', META, 'asked')
  if asked and asked ~= inc and call('ZSCORE', LEASES, asked) then return 0 end
  if asked ~= inc then call('HSET', META, 'asked', inc) end
  return 1
end
