#!lua flags=allow-oom
-- claim: hand the jobs at the head of a queue to a worker process.
local queue, wip, held, leases, last_token, paused = unpack(KEYS)
local rq, own, process, queue_name, request, limit, lease, now, at = unpack(ARGV, 1, 9)
-- request: the caller's number for this call. A replay (its reply was lost) gets the same jobs again; an older one is late
-- jobs: fields that the reply shall have besides
-- returns: the token, then for each job the values of FIELDS, of those, and its id; {} where there is none to be had;
--   {'PAUSED'} where nobody may claim; {'GONE'} where the process has not joined since it was recovered
--@include admit
--@include anew
--@include clock
--@include overdue
--@include publish
--@include replay
ask_for({unpack(ARGV, 10)})

local last, last_claim = string.match(redis.call('HGET', held, '@' .. queue_name) or '', '^(%S+) (%S+)$')
if last == request then return replay(held, last_claim) end
if last and tonumber(last) > tonumber(request) then return {} end
-- This call may come when the process is gone: nobody would hear of its jobs.
if not last then return {'GONE'} end
if redis.call('SISMEMBER', paused, queue_name) == 1 then return {'PAUSED'} end
local ids = redis.call('LRANGE', queue, 0, limit - 1)
if not ids[1] then return {} end
local token = tostring(redis.call('INCR', last_token))
local reply, running, members, taken, aside, seen, bytes, looked_at = {token}, {}, {}, {}, {}, {}, 0, 0
for _, id in ipairs(ids) do
  looked_at = looked_at + 1
  local values = not seen[id] and is_id(id) and values_of(id, aside)
  if values and may_run(id, values) and not (values[REASON] and must_wait(id, queue_name, now))
    and not (values[DEADLINE] and is_overdue(id, values, now)) and not is_limited(id, values[LIMITS], queue_name, now) then
    seen[id] = true
    taken[#taken + 1] = id
    if values[REASON] then begin_anew(id, values) end
    reply_with(reply, id, values)
    local member = id .. ':' .. token
    running[#running + 1], running[#running + 2] = 'inf', member
    members[#members + 1], members[#members + 2] = member, queue_name
    if not values[TYPE] or values[SAVED_BY_RQ] then redis.call('PERSIST', rq .. 'job:' .. id) end
    bytes = bytes + #(values[DATA] or '')
    if bytes > 1000000 then break end
  end
end
if #taken > 0 then
  -- All that may refuse (a foreign key in its place) before the first job is taken, for a replay gets what is held.
  -- A bare RPUSH does not make its queue known, and the duties look at no other.
  redis.call('SADD', rq .. 'queues', queue)
  redis.call('ZADD', leases, clock(now) + lease, process)
  redis.call('ZADD', wip, unpack(running))
  redis.call('HSET', held, '@' .. queue_name, request .. ' ' .. token, unpack(members))
  put_aside(aside)
  for _, id in ipairs(taken) do
    redis.call('HSET', rq .. 'job:' .. id, 'status', 'started', 'worker_name', process, 'p:token', token)
  end
  tell('started', queue_name, taken, process)
end
put_limited(queue_name, now)
expire_overdue(queue_name, at)
redis.call('LTRIM', queue, looked_at, -1)
return reply
