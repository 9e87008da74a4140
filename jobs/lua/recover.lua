#!lua flags=allow-oom
-- recover: put the jobs of a dead worker process back to the head of their queues.
local held, leases = unpack(KEYS)
local rq, own, process, now, at, death = unpack(ARGV, 1, 6)
-- jobs: `<id>:<token>` of those that the process died of, or beside; `death` says how
-- returns: the ids put back; call again until there are none
--@include clock
--@include fence
--@include publish
local MOST = 500

-- Re-checked here: the process may have renewed since it was found ended.
local ends = redis.call('ZSCORE', leases, process)
if ends and tonumber(ends) > clock(now) then return {} end

-- From the last to the first: in a small hash that is their old order again.
local members, back, queues, charged = redis.call('HKEYS', held), {}, {}, {}
for i = 7, #ARGV do charged[ARGV[i]] = true end
for i = #members, 1, -1 do
  if #back == MOST then break end
  local id, token = string.match(members[i], '^([^@:]+):(.+)$')
  if id then
    local queue_name = redis.call('HGET', held, members[i])
    if fence(id, token, process) == 'OK' then
      -- The list first: where a foreign key stands in its place, this fails with the job still held.
      redis.call('LPUSH', rq .. 'queue:' .. queue_name, id)
      -- Without its token nothing of the dead process settles the job any more.
      redis.call('HDEL', rq .. 'job:' .. id, 'p:token')
      redis.call('HSET', rq .. 'job:' .. id, 'status', 'queued', 'enqueued_at', at)
      redis.call('HINCRBY', rq .. 'job:' .. id, 'p:redelivered', 1)
      if charged[members[i]] then
        redis.call('HINCRBY', rq .. 'job:' .. id, 'p:deaths', 1)
        redis.call('HSET', rq .. 'job:' .. id, 'p:death', death)
      end
      queues[queue_name] = queues[queue_name] or {}
      table.insert(queues[queue_name], id)
      back[#back + 1] = id
    end
    redis.call('ZREM', rq .. 'wip:' .. queue_name, members[i])
  end
  redis.call('HDEL', held, members[i])
end
for queue_name, ids in pairs(queues) do publish('recovered', queue_name, ids) end
if #back < MOST then redis.call('ZREM', leases, process) end
return back
