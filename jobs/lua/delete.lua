#!lua flags=allow-oom
-- delete: forget a job, wherever it stands.
local job = unpack(KEYS)
local rq, own, id, nonce, at = unpack(ARGV, 1, 5)
-- nonce: made for this call. A replay (its reply was lost) finds it in the tombstone.
-- returns: 1, or 0 where there was no such job
--@include forget
--@include key
--@include kin
--@include leave
--@include tombstone
--@include rq

local queue_name, key, parent, limits, limited = unpack(redis.call('HMGET', job, 'origin', 'p:key', 'p:parent', 'p:limits',
  'p:limited'))
if redis.call('EXISTS', job) == 0 then return tombstone(id) == 'delete-' .. nonce and 1 or 0 end
rq_leave_group(id)
leave_tombstone(id, 'delete-' .. nonce)
if queue_name then
  for _, registry in ipairs({'scheduled', 'deferred', 'finished', 'failed', 'canceled'}) do
    redis.call('ZREM', rq .. registry .. ':' .. queue_name, id)
  end
  for _, registry in ipairs({'declined', 'expired'}) do redis.call('ZREM', own .. registry .. ':' .. queue_name, id) end
end
forget(id)
leave_parent(parent, id)
if key then pass_on({key, id}, at) end
if limits then leave_limits(id, limits, limited, '', at) end
return 1
