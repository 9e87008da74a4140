#!lua flags=allow-oom
-- limit: give back claimed jobs whose task has limits that whoever enqueued them did not know of: now they have them.
local wip, held, queue = unpack(KEYS)
local rq, own, process, queue_name, now, at = unpack(ARGV, 1, 6)
-- jobs: id, token, its limits
-- returns for each job: OK, ALREADY or STALE
--@include fence
--@include hands
--@include key
--@include publish

local replies, members, leaving = {}, {}, {}
for i = #ARGV - 2, 7, -3 do
  local id, token = ARGV[i], ARGV[i + 1]
  local reply, key = fence(id, token, process)
  if reply == 'OK' then
    redis.call('LPUSH', queue, id)
    redis.call('HSET', rq .. 'job:' .. id, 'status', 'queued', 'p:limits', ARGV[i + 2])
  elseif key then
    leaving[#leaving + 1], leaving[#leaving + 2] = key, id
  end
  members[#members + 1] = id .. ':' .. token
  replies[(i - 4) / 3] = reply
end
let_go(wip, held, members)
pass_on(leaving, at)
free_places(now, at)
return replies
