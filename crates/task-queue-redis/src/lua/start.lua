-- Each script begins so.
local call, base = redis.call, KEYS[1]
local function int(n) return string.format('%.0f', n) end
