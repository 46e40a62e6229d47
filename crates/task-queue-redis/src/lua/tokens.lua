-- What a task is held by: `incarnation:claim@start`, and without the start its token.
local function holder(held) return (string.match(held, '^([^:]*):')) end
local function token_of(held) return (string.match(held, '^(.*)@')) end
