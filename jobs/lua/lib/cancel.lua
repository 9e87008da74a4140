-- cancel: a job that has not ended will not run; one that runs will not be accepted.
--@include clock
--@include key
--@include kin
--@include leave
--@include publish

-- Its id stays on the queue's list, where finding it would take the server's time: the claim discards it. Returns its status
-- before.
local function cancel_job(id, now, at)
  local job = rq .. 'job:' .. id
  local status, queue_name, worker, key, parent, expired, limits, limited = unpack(redis.call('HMGET', job, 'status',
    'origin', 'worker_name', 'p:key', 'p:parent', 'p:expired', 'p:limits', 'p:limited'))
  if not status or status == 'finished' or status == 'failed' or status == 'canceled' or status == 'stopped' then
    return status == 'canceled' and expired and 'expired' or status
  end
  queue_name = queue_name or ''
  -- The registries first: where one of them refuses, the job is not canceled yet and the same call does it all again.
  redis.call('ZREM', rq .. 'scheduled:' .. queue_name, id)
  redis.call('ZREM', rq .. 'deferred:' .. queue_name, id)
  redis.call('ZREM', own .. 'declined:' .. queue_name, id)
  redis.call('ZADD', rq .. 'canceled:' .. queue_name, clock(now), id)
  redis.call('HSET', job, 'status', 'canceled', 'ended_at', at)
  leave_parent(parent, id)
  publish('canceled', queue_name, {id}, worker)
  -- Of one that runs, its worker passes the key on, and leaves its places, when it lets go of it.
  if key and status ~= 'started' then pass_on({key, id}, at) end
  if limits and status ~= 'started' then leave_limits(id, limits, limited, now, at) end
  if status == 'started' then redis.call('PUBLISH', own .. 'control:' .. (worker or ''), id) end
  return status
end
