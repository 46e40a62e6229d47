-- Results of one kind that are kept about equally long lie in one list, in the order in which they go: `kind:retention`,
-- which is rounded up to a 64th. `RESULTS` has when the first of each goes.
local function kept_with(kind, keep)
  local _, exponent = math.frexp(keep)
  local step = 2 ^ (exponent - 7)
  return kind .. ':' .. int(math.ceil(keep / step) * step)
end
