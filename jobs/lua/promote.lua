#!lua flags=allow-oom
-- promote: move the jobs that are due from the scheduled registry to the queue.
local scheduled, queue = unpack(KEYS)
local rq, own, limit, now, at = unpack(ARGV, 1, 5)
-- returns: how many entries were due, `limit` where there may be more; and in how many seconds the next is, '' if none
--@include clock
--@include due

now = tonumber(clock(now))
local function first() return tonumber(redis.call('ZRANGE', scheduled, 0, 0, 'WITHSCORES')[2]) end

-- Most looks find nothing that is due, and are spared the rest.
local next = first()
if not next or next > now then return {0, next and tostring(next - now) or ''} end
local due = move_due(scheduled, queue, now, limit, at)
next = first()
return {due, next and tostring(next - now) or ''}
