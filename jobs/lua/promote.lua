#!lua flags=allow-oom
-- promote: move the jobs that are due from the scheduled registry to the queue.
local scheduled, queue = unpack(KEYS)
local rq, own, limit, now, at = unpack(ARGV, 1, 5)
-- returns: how many entries were due; call again while it is `limit`
--@include clock
--@include publish

local moved, due = {}, redis.call('ZRANGEBYSCORE', scheduled, '-inf', clock(now), 'LIMIT', 0, limit)
for _, id in ipairs(due) do
  local job = redis.pcall('HMGET', rq .. 'job:' .. id, 'status', 'enqueue_at_front')
  -- A foreign key goes on, too: the claim makes a dead letter of it.
  if job.err or job[1] == 'scheduled' then
    redis.call(job[2] == '1' and 'LPUSH' or 'RPUSH', queue, id)
    moved[#moved + 1] = id
    if not job.err then redis.call('HSET', rq .. 'job:' .. id, 'status', 'queued', 'enqueued_at', at) end
  end
end
if #due > 0 then redis.call('ZREM', scheduled, unpack(due)) end
if #moved > 0 then tell('enqueued', name_of(queue), moved) end
return #due
