-- Whether an answer of several has any.
local function any(list)
  for i = 1, #list do
    if list[i] then return true end
  end
  return false
end
