-- What a claim gave is remembered until nothing of it is held, and its answer has arrived or can't be asked for again: an
-- incarnation may have so many claims under way.
local IN_FLIGHT = 8

local function is_over(number, acked, high) return number <= acked or number + IN_FLIGHT <= high end
