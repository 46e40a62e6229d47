-- Ends attempts, fenced by their tokens.
-- KEYS 1 base
-- ARGV groups behind each other: kind, token@start, detail, when they ended by the client's reckoning, how many; then so
--      often (id, record) or, where the kind is not C or S, (id, fingerprint, record). The ids of a group differ.
--      Kinds: C|S final with the record behind its header (detail: retention ms), F|X final (detail: retention ms or ''),
--      T retry (detail: delay ms), R released, N name unknown (detail: the name); R and N have no record
-- reply now, and nothing more if all are done; else for each in turn 1 done | 2 already done | 0 stale
-- guarantees a token that is not the current one, or whose incarnation is closed, changes nothing; the result, the lock,
--      the counts, the waiters and the next start change in this one step
local NEAR = 250 -- how far a client's reckoning of the time may be behind before its times are put right
local inc, open, progress, alone, asks -- of the group before, most often of all
local total, undone, others = 0, nil, nil
local at = 1
while at < #ARGV do
  local kind, hold, detail, n = ARGV[at], ARGV[at + 1], ARGV[at + 2], tonumber(ARGV[at + 4])
  local first, plain, ids = at + 5, kind == 'C' or kind == 'S', {}
  local width = plain and 2 or 3
  for i = 1, n do ids[i] = ARGV[first + width * (i - 1)] end
  if inc ~= holder(hold) then
    inc = holder(hold)
    open = not closed(inc)
    asks, progress, alone = false, false, false
    if call('EXISTS', PROGRESS, ALONE, CANCEL .. inc) > 0 then
      asks, progress = call('EXISTS', CANCEL .. inc) == 1, call('EXISTS', PROGRESS) == 1
      alone = call('HGET', ALONE, inc)
    end
  end
  -- the start is the client's to say, and for speed alone
  local runs, whole = call('HMGET', RUN, unpack(ids)), open and plain and not asks
  for i = 1, n do
    if runs[i] ~= hold then whole = false end
  end
  local records, from, done = ARGV, first, n
  if not whole then
    others = others or rarely().others(now)
    undone = undone or {}
    ids, records, done = others.settle(kind, hold, detail, ids, runs, first, open, asks and inc, undone, total)
    from = 1
  end

  -- Results of tasks that are all held. Nothing is done for each of them that can be done for all.
  if plain and #ids > 0 then
    local keep, ended = tonumber(detail), tonumber(ARGV[at + 3])
    local till, lasts = ended + keep, progress and call('HMGET', PROGRESS, unpack(ids)) or {}
    if any(lasts) or ended > now or now - ended > NEAR then
      till = now + keep
      records, from = rarely().headed(ids, records, from, lasts, now, till), 1
    end
    call('HDEL', RUN, unpack(ids))
    call('HSET', TASKS, unpack(records, from, from + 2 * #ids - 1))
    local states = (#ids == 1 or call('HLEN', STATE) > 1) and call('HMGET', STATE, unpack(ids)) or {}
    if any(states) then
      for i = 1, #ids do
        if states[i] then unlock(ids[i], cmsgpack.unpack(states[i])) end
      end
      call('HDEL', STATE, unpack(ids))
    end
    local list = kept_with(kind, keep)
    if call('RPUSH', RESULT .. list, unpack(ids)) == #ids then call('ZADD', RESULTS, int(till), list) end
    call('HINCRBY', META, 't' .. kind, #ids)
    if #ids == 1 then
      told(ids[1], records[from + 1])
    elseif call('EXISTS', WAITING) == 1 then
      local listened = call('SMISMEMBER', WAITING, unpack(ids))
      for i = 1, #ids do
        if listened[i] == 1 then told(ids[i], records[from + 2 * i - 1]) end
      end
    end
  end

  -- so many tasks of a claim are held no more
  local number = string.match(hold, ':(%d+)@')
  if done > 0 and call('HINCRBY', HELD .. inc, number, -done) <= 0 then
    call('HDEL', HELD .. inc, number)
    local log = call('HMGET', CLAIMS .. inc, 'acked', 'high')
    if is_over(tonumber(number), tonumber(log[1] or 0), tonumber(log[2] or 0)) then call('HDEL', CLAIMS .. inc, number) end
  end
  if done > 0 and alone and holder(call('HGET', RUN, alone) or '') ~= inc then
    call('HDEL', ALONE, inc)
    alone = false
  end
  total, at = total + n, first + width * n
end
if others then others.give_back() end
if not undone or not next(undone) then return { time } end
local answers = { time }
for i = 1, total do answers[i + 1] = undone[i] or 1 end
return answers
