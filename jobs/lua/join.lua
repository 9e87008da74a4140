#!lua flags=allow-oom
-- join: a worker process is there: its lease begins, and it may claim.
local held, leases = unpack(KEYS)
local own, process, lease, now = unpack(ARGV, 1, 4)
-- queues: name, the number of the last claim there whose jobs the process has
--@include clock
--@include publish

if redis.call('ZADD', leases, clock(now) + lease, process) == 1 then tell('worker-up', '', {}, process) end
for i = 5, #ARGV, 2 do
  -- Where there is a claim already, that one counts: this call may be a replay, and late.
  redis.call('HSETNX', held, '@' .. ARGV[i], ARGV[i + 1] .. ' 0')
end
