-- Takes what fits of these ids, which were ready, into `got`; answers the place of the first that does not fit, or none.
local function take(got, ids)
  local n, left, tasks, runs, taken = got.n, got.left, got.tasks, got.runs, got.taken
  local held, voids, byte = got.held, got.voids, string.byte
  local states = #ids == 1 or call('HLEN', STATE) > 1
  local at, step = 1, 16 -- records may be long: a few say how many are to be read at once
  while at <= #ids do
    local last = math.min(#ids, at + step - 1)
    local recs = call('HMGET', TASKS, unpack(ids, at, last))
    local raws = states and call('HMGET', STATE, unpack(ids, at, last))
    local before, left_before = n, left
    for i = at, last do
      local id, rec, raw, s = ids[i], recs[i - at + 1], raws and raws[i - at + 1], nil
      local size = rec and byte(rec) == 77 and #rec -- an M
      if raw or voids then
        s = known().waits(id, size, raw, now)
        size = s and size + #(s.b or '')
      end
      if size then
        if n > 0 and size > left then
          got.n, got.left = n, left
          return i
        end
        left, n = left - size, n + 1
        taken[n] = id
        tasks[2 * n - 1], tasks[2 * n] = id, rec
        runs[2 * n - 1], runs[2 * n] = id, held
        if raw then
          got.n = n
          known().starts(id, s, got)
        end
      end
    end
    at = last + 1
    if n > before then step = math.max(1, math.floor(left * (n - before) / (left_before - left + 1))) end
  end
  got.n, got.left = n, left
end
