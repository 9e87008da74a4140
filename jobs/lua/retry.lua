#!lua flags=allow-oom
-- retry: put back failed attempts of jobs that this process holds, at once or when their wait is over.
local wip, held, queue, scheduled = unpack(KEYS)
local rq, own, process, queue_name, now, at = unpack(ARGV, 1, 6)
-- jobs: id, token, delay (seconds; 0: at once), where ('back' or 'front'), the execution that failed ('': none), number of
--   strings that follow, field, value, …
-- returns for each job: OK, ALREADY or STALE
--@include clock
--@include fence
--@include hands
--@include history
--@include key
--@include publish
now = clock(now)

local replies, members, retried, leaving, i = {}, {}, {}, {}, 7
while ARGV[i] do
  local id, token, delay, count = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2]), tonumber(ARGV[i + 5])
  local job = rq .. 'job:' .. id
  local reply, key = fence(id, token, process)
  if reply == 'OK' then
    -- The list first: where a foreign key stands in its place, this fails with the job still held.
    if delay > 0 then
      redis.call('ZADD', scheduled, now + delay, id)
    else
      redis.call(ARGV[i + 3] == 'front' and 'LPUSH' or 'RPUSH', queue, id)
      redis.call('HSET', job, 'enqueued_at', at)
    end
    redis.call('HSET', job, 'status', delay > 0 and 'scheduled' or 'queued', unpack(ARGV, i + 6, i + 5 + count))
    redis.call('HDEL', job, 'p:waits')
    keep_failure(job, ARGV[i + 4])
    retried[#retried + 1] = id
  elseif key then
    leaving[#leaving + 1], leaving[#leaving + 2] = key, id
  end
  members[#members + 1] = id .. ':' .. token
  replies[#replies + 1] = reply
  i = i + 6 + count
end
publish('retried', queue_name, retried, process)
let_go(wip, held, members)
pass_on(leaving, at)
free_places(now, at)
return replies
