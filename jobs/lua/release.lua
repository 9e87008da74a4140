#!lua flags=allow-oom
-- release: give back claimed jobs that were never started, to the head of their queue, in their order.
local wip, held, queue = unpack(KEYS)
local rq, own, process = unpack(ARGV, 1, 3)
-- jobs: id, token
-- returns for each job: OK, ALREADY or STALE
--@include fence
--@include hands

local replies, members, reversed = {}, {}, {}
for i = 4, #ARGV, 2 do
  local id, token = ARGV[i], ARGV[i + 1]
  local reply = fence(id, token, process)
  if reply == 'OK' then
    redis.call('HSET', rq .. 'job:' .. id, 'status', 'queued')
    table.insert(reversed, 1, id)
  end
  members[#members + 1] = id .. ':' .. token
  replies[#replies + 1] = reply
end
if #reversed > 0 then redis.call('LPUSH', queue, unpack(reversed)) end
let_go(wip, held, members)
return replies
