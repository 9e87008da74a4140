#!lua flags=allow-oom
-- release: give back claimed jobs that were never started, to the head of their queue, in their order.
local wip, held, queue = unpack(KEYS)
local rq, own, process, queue_name, at = unpack(ARGV, 1, 5)
-- jobs: id, token
-- returns for each job: OK, ALREADY or STALE
--@include fence
--@include hands
--@include key
--@include publish

local replies, members, back, leaving = {}, {}, {}, {}
for i = #ARGV - 1, 6, -2 do
  local id, token = ARGV[i], ARGV[i + 1]
  local reply, key = fence(id, token, process)
  if reply == 'OK' then
    -- The list first: where a foreign key stands in its place, this fails with the job still held.
    redis.call('LPUSH', queue, id)
    redis.call('HSET', rq .. 'job:' .. id, 'status', 'queued')
    keep_places(id)
    table.insert(back, 1, id)
  elseif key then
    leaving[#leaving + 1], leaving[#leaving + 2] = key, id
  end
  members[#members + 1] = id .. ':' .. token
  replies[(i - 4) / 2] = reply
end
if #back > 0 then tell('released', queue_name, back, process) end
let_go(wip, held, members)
pass_on(leaving, at)
free_places('', at)
return replies
