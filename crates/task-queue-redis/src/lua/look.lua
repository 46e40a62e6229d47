-- What is known of tasks.
-- KEYS 1 base
-- ARGV 1 1 if their end is waited for, else 0; then ids
-- reply now, a view or nil for each
-- guarantees whoever waits and was answered a live task is told on the channel base:done when it ends
local answers = { time }
for i = 2, #ARGV do
  local seen = view(ARGV[i])
  answers[i] = seen
  if ARGV[1] == '1' and seen and (seen[14] == 'P' or seen[14] == 'R' or seen[14] == 'T') then
    call('SADD', WAITING, ARGV[i])
  end
end
return answers
