-- a small hash is a list that is walked for each field; one long value makes it a table for good
local PAD = '.................................................................'

-- What is known of a task beyond its message; absent for a plain task that never ended an attempt. Fields:
-- s F|X final with its message kept; a, f, c, r, g attempts (ended), failures, crashes, releases, generation;
-- x expires at, until an attempt has ended; u unique lock; k retention and fp fingerprint, as its worker settled it; b, bt
-- the record that its worker settled last, and when;
-- o a cancel won over that; w why it ended here; e, n ended at, kept until; l how and by which token it was settled
-- last; lw, ls its last worker's label and start; t its entry still lies in a ready list; p where it waits aside
-- (`q` suspects, `n`+name); pg last progress; d its params were dropped.
local function state(id)
  local raw = call('HGET', STATE, id)
  return raw and cmsgpack.unpack(raw) or {}
end

local function keep_all(states) -- ids and packed states
  call('HSETNX', STATE, '', PAD)
  call('HSET', STATE, unpack(states))
end

local function keep(id, s) keep_all({ id, cmsgpack.pack(s) }) end

-- A task whose worker died under it twice: it waits for a process of its own.
local function is_suspect(s) return (s.c or 0) >= 2 end
