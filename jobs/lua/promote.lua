#!lua flags=allow-oom
-- promote: move the jobs that are due from the scheduled registry to the queue.
local scheduled, queue = unpack(KEYS)
local rq, own, limit, now, at = unpack(ARGV, 1, 5)
-- returns: how many entries were due; call again while it is `limit`
--@include clock
--@include due

return move_due(scheduled, queue, clock(now), limit, at)
