#!lua flags=allow-oom
-- recover: put the jobs of a dead worker process back to the head of their queues.
local held, leases = unpack(KEYS)
local rq, own, process, now, at = unpack(ARGV, 1, 5)
-- jobs: for each that the process died of, or beside: `<id>:<token>`, and the execution that it ended
-- returns: the ids put back; call again until there are none
--@include clock
--@include fence
--@include history
--@include key
--@include publish
--@include withdraw
local MOST = 500

local function counted(text) return (tonumber(text or 0) or 0) + 1 end

-- Re-checked here: the process may have renewed since it was found ended.
local ends = redis.call('ZSCORE', leases, process)
if ends and tonumber(ends) > clock(now) then return {} end

-- From the last to the first: in a small hash that is their old order again.
local members, back, queues, charged = redis.call('HKEYS', held), {}, {}, {}
for i = 6, #ARGV, 2 do charged[ARGV[i]] = ARGV[i + 1] end
for i = #members, 1, -1 do
  if #back == MOST then break end
  local id, token = string.match(members[i], '^([^@:]+):(.+)$')
  if id then
    local queue_name = redis.call('HGET', held, members[i])
    local job, reply, key = rq .. 'job:' .. id, fence(id, token, process)
    if reply == 'OK' then
      -- All that may refuse (a foreign key in its place) before the first write, so that each repetition finds the job
      -- held, and the one that is made counts once. A counter that is no number would refuse for ever: it counts anew.
      redis.call('ZCARD', rq .. 'wip:' .. queue_name)
      redis.call('LPUSH', rq .. 'queue:' .. queue_name, id)
      local counts = redis.call('HMGET', job, 'p:redelivered', 'p:deaths')
      redis.call('HSET', job, 'status', 'queued', 'enqueued_at', at, 'p:redelivered', counted(counts[1]))
      local failure = charged[members[i]]
      if failure then
        redis.call('HSET', job, 'p:deaths', counted(counts[2]))
        keep_failure(job, failure)
      end
      -- Without its token nothing of the dead process settles the job any more.
      redis.call('HDEL', job, 'p:token')
      queues[queue_name] = queues[queue_name] or {}
      table.insert(queues[queue_name], id)
      back[#back + 1] = id
    end
    redis.call('ZREM', rq .. 'wip:' .. queue_name, members[i])
    if key and reply == 'STALE' then pass_on({key, id}, at) end
  end
  redis.call('HDEL', held, members[i])
end
free_places(now, at)
for queue_name, ids in pairs(queues) do publish('recovered', queue_name, ids, process) end
if #back < MOST then
  if redis.call('ZREM', leases, process) == 1 then tell('worker-down', '', {}, process) end
  withdraw(process)
end
return back
