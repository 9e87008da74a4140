#!lua flags=allow-oom
-- promote: move the jobs that are due from the scheduled registry to the queue.
local scheduled, queue = unpack(KEYS)
local rq, own, limit, now, at = unpack(ARGV, 1, 5)
-- returns: how many entries were due, `limit` where there may be more; and in how many seconds the next is, '' if none
--@include clock
--@include due

now = clock(now)
local due = move_due(scheduled, queue, now, limit, at)
local next = redis.call('ZRANGE', scheduled, 0, 0, 'WITHSCORES')[2]
return {due, next and tostring(next - now) or ''}
