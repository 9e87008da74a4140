-- rq: what RQ's own worker does besides when it settles a job that RQ's producer made (rq.worker.base, rq.results).
--@include tombstone
local function rq_keep_result(id, entry, ttl)
  if ttl == 0 then return end
  local key = rq .. 'results:' .. id
  redis.call('XADD', key, 'MAXLEN', 10, '*', unpack(cjson.decode(entry)))
  if ttl > 0 then redis.call('EXPIRE', key, ttl) else redis.call('PERSIST', key) end
end

-- rq.Group: a deleted job leaves its group.
local function rq_leave_group(id)
  local group = redis.call('HGET', rq .. 'job:' .. id, 'group_id')
  if group and group ~= '' then redis.call('SREM', rq .. 'group:' .. group, id) end
end

-- What RQ keeps beside the hash ends with it; a minute later where that is at once, for its dependents are still asked.
local function rq_expire(id, ttl)
  if ttl < 0 then return end
  if ttl == 0 then rq_leave_group(id) end
  for _, name in ipairs({'job:' .. id .. ':dependents', 'job::' .. id .. ':dependencies'}) do
    redis.call('EXPIRE', rq .. name, math.max(ttl, TOMBSTONE_TTL))
  end
end

-- rq.Repeat: put the job back `repeats_left` times. True where it did.
local function rq_repeat(id, queue_name, now, at)
  local key = rq .. 'job:' .. id
  local job = redis.call('HMGET', key, 'repeats_left', 'repeat_intervals')
  local left = tonumber(job[1] or 0) or 0
  if left <= 0 then return false end
  local intervals = (job[2] or '') ~= '' and cjson.decode(job[2]) or {}
  local wait = intervals[1] or 0
  if #intervals > 1 then table.remove(intervals, 1) end
  redis.call('HSET', key, 'repeats_left', left - 1, 'repeat_intervals', #intervals > 0 and cjson.encode(intervals) or '[]')
  if wait > 0 then
    redis.call('HSET', key, 'status', 'scheduled')
    redis.call('ZADD', rq .. 'scheduled:' .. queue_name, now + wait, id)
  else
    redis.call('HSET', key, 'status', 'queued', 'enqueued_at', at)
    redis.call('RPUSH', rq .. 'queue:' .. queue_name, id)
  end
  return true
end
