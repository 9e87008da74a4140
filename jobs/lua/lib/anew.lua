-- anew: a dead letter that is on the list again.
--@include clock
--@include publish
--@include runnable
-- It begins anew. Its reason must go: it would make the next attempt a first one, too, and so every one after. So must its
-- deadline: who redrove it wants it to run.
local function begin_anew(id, values)
  redis.call('HDEL', rq .. 'job:' .. id, 'p:reason', 'p:attempt', 'p:first', 'p:deaths', 'p:deadline')
  values[REASON], values[ATTEMPT], values[FIRST], values[DEATHS], values[DEADLINE] = false, false, false, false, false
end

-- RQ's requeue passes by the line of its key: unless it is the first there, it takes its place at the end, and waits. What
-- stands in the place of the line or of those that wait must not keep a whole queue from being claimed: then it runs.
local function must_wait(id, queue_name, now)
  local job = rq .. 'job:' .. id
  local key = redis.call('HGET', job, 'p:key')
  if not key then return false end
  local line = own .. 'key:' .. key
  local first = redis.pcall('ZRANGE', line, 0, 0)
  if first.err or first[1] == id then return false end
  now = clock(now)
  if first[1] and type(redis.pcall('ZADD', rq .. 'deferred:' .. queue_name, now, id)) == 'table' then return false end
  redis.pcall('ZADD', own .. 'keys', 'NX', now, key)
  redis.call('ZADD', line, 'NX', (redis.call('ZRANGE', line, -1, -1, 'WITHSCORES')[2] or 0) + 1, id)
  redis.call('HDEL', job, 'p:turn')
  if not first[1] then return false end
  redis.call('HSET', job, 'status', 'deferred')
  tell('deferred', queue_name, {id})
  return true
end
