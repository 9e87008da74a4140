#!lua flags=allow-oom
-- delete: forget a job, wherever it stands.
local job = unpack(KEYS)
local rq, own, id = unpack(ARGV, 1, 3)
-- returns: 1, or 0 where there was no such job
--@include forget
--@include tombstone
--@include rq

local queue_name = redis.call('HGET', job, 'origin')
if redis.call('EXISTS', job) == 0 then return 0 end
rq_leave_group(id)
leave_tombstone(id, '')
if queue_name then
  for _, registry in ipairs({'scheduled', 'deferred', 'finished', 'failed', 'canceled'}) do
    redis.call('ZREM', rq .. registry .. ':' .. queue_name, id)
  end
end
forget(id)
return 1
