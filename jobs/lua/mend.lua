#!lua flags=allow-oom
-- mend: of limits that are in use, take the places of jobs that were taken away behind our back, and give them to others.
local limits_busy = unpack(KEYS)
local rq, own, age, limit, now, at = unpack(ARGV, 1, 6)
-- age: seconds for which a look at a limit holds good
-- returns: how many limits were looked at; call again while it is `limit`
--@include in_hands
--@include limited
local MOST = 500

local function has_place(id)
  local job = redis.pcall('HMGET', rq .. 'job:' .. id, 'status', 'origin', 'p:token', 'p:limits')
  if job[1] == 'canceled' then return is_in_hands(id, job[2] or '', job[3]) end
  return job[1] == 'started' or job[1] == 'queued' and string.sub(job[4] or '', 1, 1) == '+'
end

now = clock(now)
local limits, moved = redis.call('ZRANGEBYSCORE', limits_busy, '-inf', now - age, 'LIMIT', 0, limit), {}
for _, name in ipairs(limits) do
  redis.call('ZADD', limits_busy, now, name)
  for _, id in ipairs(redis.pcall('ZRANGE', own .. 'limit:' .. name, 0, MOST - 1)) do
    if not has_place(id) then redis.call('ZREM', own .. 'limit:' .. name, id) end
  end
  wake(name, now, at, moved)
  if redis.call('EXISTS', own .. 'limit:' .. name, own .. 'limited:' .. name) == 0 then redis.call('ZREM', limits_busy, name) end
end
for queue_name, ids in pairs(moved) do tell('enqueued', queue_name, ids) end
return #limits
