-- All that is known of a task, at which time; whoever waits for its end is told of it.
local function all_of(id, rec)
  local seen = rec and view(id, rec)
  if seen and (seen[14] == 'P' or seen[14] == 'R' or seen[14] == 'T') then call('SADD', WAITING, id) end
  return { time, seen }
end
