-- Everything known of a task, flat, for the client to make its record of; false if the id is unknown.
-- id, record, attempts, failures, crashes, releases, generation, last settled record, when, why it ended here, a
-- cancel won, ended at, kept until, status, last label, last start, due, progress, cancel asked, token@start,
-- fingerprint if it can't be had from the record, params dropped
local function view(id, rec)
  rec = rec or call('HGET', TASKS, id)
  if not rec then return false end
  if string.sub(rec, 1, 1) ~= 'M' then return { id, rec } end
  local s = state(id)
  local held = call('HGET', RUN, id) or ''
  local status, label, due, asked = s.s or 'P', s.lw or '', '', 0
  if held ~= '' then
    local inc = holder(held)
    status, label = 'R', call('HGET', LABEL, inc) or ''
    asked = call('SISMEMBER', CANCEL .. inc, id)
  elseif not s.s and not s.p then
    local member = string.char(string.byte(rec, 3)) .. id
    due = call('ZSCORE', RETRY, member)
    if due then status = 'T' else due = call('ZSCORE', DELAYED, member) or '' end
  end
  return {
    id, rec, s.a or 0, s.f or 0, s.c or 0, s.r or 0, s.g or 0, s.b or '', s.bt or 0, s.w or '', s.o or 0, s.e or 0,
    s.n or 0, status, label, s.ls or 0, due, s.pg or call('HGET', PROGRESS, id) or '', asked, held,
    s.fp or '', s.d or 0,
  }
end
