#!lua flags=allow-oom
-- decline: put aside jobs that this process's code cannot run, until a worker comes whose code can.
local wip, held, declined, scheduled, takers = unpack(KEYS)
local rq, own, process, queue_name, often, rarely, now, at = unpack(ARGV, 1, 8)
-- often: seconds until a job is asked for again that a live worker of the queue can run; where none can, it stands among
--   the declined ones: these are offered again (offer.lua) after `rarely` seconds, or when such a worker comes
-- jobs: id, token, what its worker must have announced, in which version ('': it has none), why it is declined,
--   seconds until it is asked for again at the latest
-- returns for each job: OK, ALREADY or STALE
--@include clock
--@include fence
--@include hands
--@include key
--@include publish
--@include announced
now = clock(now)

local replies, members, new, known, leaving = {}, {}, {}, {}, {}
for i = 9, #ARGV, 6 do
  local id, token, need, version, why, latest = unpack(ARGV, i, i + 5)
  local job, reply, key = rq .. 'job:' .. id, fence(id, token, process)
  if reply == 'OK' then
    local what = need .. ' ' .. version
    if known[what] == nil then known[what] = is_announced(takers, need, version) end
    local wait = math.min(tonumber(latest), tonumber(known[what] and often or rarely))
    -- The sets first: where a foreign key stands in the place of one, this fails with the job still held.
    if wait < tonumber(rarely) then redis.call('ZADD', scheduled, now + wait, id)
    else redis.call('ZADD', declined, now, id) end
    if redis.call('HGET', job, 'p:waits') ~= why then new[#new + 1] = id end
    redis.call('HSET', job, 'status', 'scheduled', 'p:waits', why)
  elseif key then
    leaving[#leaving + 1], leaving[#leaving + 2] = key, id
  end
  members[#members + 1] = id .. ':' .. token
  replies[#replies + 1] = reply
end
publish('declined', queue_name, new, process)
let_go(wip, held, members)
pass_on(leaving, at)
free_places(now, at)
return replies
