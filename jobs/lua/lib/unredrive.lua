-- unredrive: back to the dead letters, as if it had not been redriven.
--@include key
--@include lasting
--@include redriven
-- Of a list's end so much is searched for an id. Farther from it, it stays, and the claim discards it.
local NEAR = 1000

-- job: status, enqueued_at, p:redriven, origin, p:imported, p:key, …
local function undo_redrive(id, score, job)
  local list, waiting, times, key = rq .. 'queue:' .. job[4], rq .. 'deferred:' .. job[4], drop_redrive(job[3]), job[6]
  -- The list first: where a foreign key stands in its place, this fails with nothing written.
  local is_near = redis.call('LPOS', list, id, 'RANK', -1, 'MAXLEN', NEAR)
  if key then redis.call('ZREM', waiting, id) end
  redis.call('ZADD', failed, score, id)
  last_until(score, id, now)
  redis.call('HSET', rq .. 'job:' .. id, 'status', 'failed', 'origin', queue_name, 'p:redriven', times or '')
  if not times then redis.call('HDEL', rq .. 'job:' .. id, 'p:redriven') end
  if is_near then redis.call('LREM', list, -1, id) end
  if key then pass_on({key, id}, at) end
end
