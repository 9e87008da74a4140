#!lua flags=allow-oom
-- announce: a worker process says what it takes, where RQ's readers look for workers, and which tasks it knows.
local worker, workers, tasks, leases = unpack(KEYS)
local rq, process, queue_names, ttl, count, at = unpack(ARGV, 1, 6)
-- queue_names: with a space between them · ttl: seconds that this stands
-- then `count` strings of the worker's hash: field, value, …; then the names of its tasks, which `tasks` has the digest of
-- returns: 1, or 0 where it has no lease: it has resigned or was recovered, and this would outlive it

if not redis.call('ZSCORE', leases, process) then return 0 end
redis.call('HSET', worker, 'p:queues', queue_names, 'last_heartbeat', at, unpack(ARGV, 7, 6 + count))
redis.call('HSETNX', worker, 'birth', at)
redis.call('EXPIRE', worker, ttl)
redis.call('SADD', workers, worker)
for name in string.gmatch(queue_names, '%S+') do redis.call('SADD', rq .. 'workers:' .. name, worker) end
if redis.call('EXPIRE', tasks, ttl) == 0 then
  for i = 7 + count, #ARGV do redis.call('SADD', tasks, ARGV[i]) end
  redis.call('EXPIRE', tasks, ttl)
end
return 1
