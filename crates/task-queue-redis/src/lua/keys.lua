-- The names of keys. docs/redis-layout.md is written from these headers.
-- KEYS[1] is the base `prefix:{queue}`; every key is the base and a fixed suffix (and a priority, status, name or
-- incarnation), so a named queue is one slot.
local call, base = redis.call, KEYS[1]
local META, TASKS, STATE, RUN = base .. ':meta', base .. ':tasks', base .. ':state', base .. ':run'
local DELAYED, RETRY, EXPIRY, GONE = base .. ':delayed', base .. ':retry', base .. ':expiry', base .. ':gone'
local READY, LEVELS, SUSPECTS = base .. ':ready:', base .. ':levels', base .. ':suspects'
local UNKNOWN, NAMED, VOID = base .. ':unknown', base .. ':named:', base .. ':void'
local UNIQ, WAITING, PROGRESS = base .. ':uniq', base .. ':waiting', base .. ':progress'
local REPLAYABLE = base .. ':replayable'
local LEASES, CLOSED, DYING, GENS = base .. ':leases', base .. ':closed', base .. ':dying', base .. ':gens'
local REG, KNOWS, LABEL, SEEN = base .. ':reg', base .. ':knows', base .. ':label', base .. ':seen'
local HELD, CLAIMS, ALONE = base .. ':held:', base .. ':claims:', base .. ':alone'
local CANCEL, INBOX, BELL, CALL = base .. ':cancel:', base .. ':inbox:', base .. ':bell:', base .. ':call:'
local END, WAKE = base .. ':end:', base .. ':wake'
local RESULT, RESULTS, UNLISTED = base .. ':result:', base .. ':results', base .. ':unlisted'
