#!lua flags=allow-oom
-- cancel: a job that has not ended will not run; one that runs will not be accepted.
local job = unpack(KEYS)
local rq, own, id, now, at = unpack(ARGV, 1, 5)
-- Its id stays on the queue's list, where finding it would take the server's time: the claim discards it.
-- returns: the job's status before, or nil where there is no such job
--@include clock
--@include key
--@include publish

local known = redis.call('HMGET', job, 'status', 'origin', 'worker_name', 'p:key')
local status, queue_name = known[1], known[2] or ''
if not status then return nil end
if status == 'finished' or status == 'failed' or status == 'canceled' or status == 'stopped' then return status end
-- The registries first: where one of them refuses, the job is not canceled yet and the same call does it all again.
redis.call('ZREM', rq .. 'scheduled:' .. queue_name, id)
redis.call('ZREM', rq .. 'deferred:' .. queue_name, id)
redis.call('ZREM', own .. 'declined:' .. queue_name, id)
redis.call('ZADD', rq .. 'canceled:' .. queue_name, clock(now), id)
redis.call('HSET', job, 'status', 'canceled', 'ended_at', at)
publish('canceled', queue_name, {id}, known[3])
-- Of one that runs, its worker passes the key on when it lets go of it.
if known[4] and status ~= 'started' then pass_on({known[4], id}, at) end
if status == 'started' then redis.call('PUBLISH', own .. 'control:' .. (known[3] or ''), id) end
return status
