-- rq: what RQ's own worker does besides when it settles a job that RQ's producer made (rq.worker.base, rq.results).
-- None of a job's own keys refuses: one foreign key would keep a whole batch from being settled.
--@include tombstone
local function rq_keep_result(id, entry, ttl)
  if ttl == 0 then return end
  local key, values = rq .. 'results:' .. id, cjson.decode(entry)
  if type(redis.pcall('XADD', key, 'MAXLEN', 10, '*', unpack(values))) == 'table' then
    -- An error. What is no stream is put aside, as what is no hash: RQ's readers could not read it either.
    redis.call('RENAME', key, own .. 'foreign:results:' .. id)
    redis.call('XADD', key, '*', unpack(values))
  end
  if ttl > 0 then redis.call('EXPIRE', key, ttl) else redis.call('PERSIST', key) end
end

-- rq.Group: a deleted job leaves its group.
local function rq_leave_group(id)
  local group = redis.call('HGET', rq .. 'job:' .. id, 'group_id')
  if group and group ~= '' then redis.pcall('SREM', rq .. 'group:' .. group, id) end
end

-- What RQ keeps beside the hash ends with it; a minute later where that is at once, for its dependents are still asked.
local function rq_expire(id, ttl)
  if ttl < 0 then return end
  if ttl == 0 then rq_leave_group(id) end
  for _, name in ipairs({'job:' .. id .. ':dependents', 'job::' .. id .. ':dependencies'}) do
    redis.call('EXPIRE', rq .. name, math.max(ttl, TOMBSTONE_TTL))
  end
end

-- rq.Repeat: put the job back `repeats_left` times. Where it does: the fields with which its hash then goes on.
local function rq_repeat(id, queue_name, now, at)
  local job = redis.call('HMGET', rq .. 'job:' .. id, 'repeats_left', 'repeat_intervals')
  local left = tonumber(job[1] or 0) or 0
  if left <= 0 then return nil end
  local readable, intervals = pcall(cjson.decode, job[2] or '')
  if not readable or type(intervals) ~= 'table' then intervals = {} end
  local wait = tonumber(intervals[1]) or 0
  if #intervals > 1 then table.remove(intervals, 1) end
  if wait > 0 then redis.call('ZADD', rq .. 'scheduled:' .. queue_name, now + wait, id)
  else redis.call('RPUSH', rq .. 'queue:' .. queue_name, id) end
  local rest = #intervals > 0 and cjson.encode(intervals) or '[]'
  local fields = {'repeats_left', left - 1, 'repeat_intervals', rest, 'status', wait > 0 and 'scheduled' or 'queued'}
  if wait <= 0 then fields[7], fields[8] = 'enqueued_at', at end
  return fields
end

-- Its hash says that it has ended; `repeated`: what rq_repeat said.
local function rq_settle(id, entry, ttl, repeated)
  rq_keep_result(id, entry, ttl)
  if repeated then redis.call('HSET', rq .. 'job:' .. id, unpack(repeated)) else rq_expire(id, ttl) end
end
