local function register(inc, till, now, label, names, about)
  call('HSETNX', RUN, '', PAD)
  call('HSET', REG, inc, about)
  call('HSET', KNOWS, inc, names)
  call('HSET', LABEL, inc, label)
  call('HSET', GENS, string.match(inc, '^[^.]*'), inc)
  call('HSET', SEEN, inc, int(now) .. ',0')
  call('ZADD', LEASES, int(till), inc)
end
