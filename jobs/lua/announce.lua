#!lua flags=allow-oom
-- announce: a worker process says what it takes, where RQ's readers look for workers, and which tasks it knows.
local worker, workers, tasks, leases = unpack(KEYS)
local rq, own, process, queue_names, ttl, rarely, count, now, at = unpack(ARGV, 1, 9)
-- queue_names: with a space between them · ttl: seconds that this stands
-- rarely: seconds until a declined job is offered again (decline.lua)
-- then `count` strings of the worker's hash: field, value, …; then the names of its tasks, which `tasks` has the digest of
-- returns: 1, or 0 where it has no lease: it has resigned or was recovered, and this would outlive it
--@include clock
--@include announced

if not redis.call('ZSCORE', leases, process) then return 0 end
redis.call('HSET', worker, 'p:queues', queue_names, 'last_heartbeat', at, unpack(ARGV, 10, 9 + count))
redis.call('HSETNX', worker, 'birth', at)
redis.call('EXPIRE', worker, ttl)
redis.call('SADD', workers, worker)
for name in string.gmatch(queue_names, '%S+') do
  local of_queue, digest = rq .. 'workers:' .. name, string.match(tasks, '[^:]+$')
  -- Code that no other worker of the queue has: what these have declined is offered again (offer.lua).
  if redis.call('SADD', of_queue, worker) == 1 and not digests_of(of_queue, process)[digest] then
    redis.call('SET', own .. 'came:' .. name, clock(now), 'EX', rarely)
  end
end
if redis.call('EXPIRE', tasks, ttl) == 0 then
  for i = 10 + count, #ARGV do redis.call('SADD', tasks, ARGV[i]) end
  redis.call('EXPIRE', tasks, ttl)
end
return 1
