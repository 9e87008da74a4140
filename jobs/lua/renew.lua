#!lua flags=allow-oom
-- renew: a worker process lives on; and these of its jobs have really started.
local leases = unpack(KEYS)
local rq, process, lease, now = unpack(ARGV, 1, 4)
-- jobs: id, token, started_at
-- returns: 1, or 0 where the lease had ended and its jobs may be others' by now
--@include clock

local known = redis.call('ZSCORE', leases, process)
-- Only join begins one: this call may come when the process was recovered, or has resigned, long ago.
if known then redis.call('ZADD', leases, clock(now) + lease, process) end
for i = 5, #ARGV, 3 do
  local key = rq .. 'job:' .. ARGV[i]
  local token = redis.pcall('HGET', key, 'p:token')
  if token == ARGV[i + 1] then redis.call('HSET', key, 'started_at', ARGV[i + 2]) end
end
return known and 1 or 0
