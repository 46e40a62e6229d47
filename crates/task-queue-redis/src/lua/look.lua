-- What is known of tasks.
-- KEYS 1 base
-- ARGV ids
-- reply now, a view or nil for each
local answers = { time }
for i = 1, #ARGV do answers[i + 1] = view(ARGV[i]) end
return answers
