-- key: order per key. A busy key has a line: the ids of its jobs in order of enqueue. Whose job is first holds the key, and
-- stands where any job does; the others are deferred. When the first leaves, the next one follows in the same script.
-- Nothing here refuses, for that would keep a whole batch from being settled: the duty (follow.lua) looks again, and says so.
--@include clock
--@include in_hands
--@include publish
local HOLDS = {queued = true, created = true, scheduled = true, started = true}
-- Ids of jobs that somebody took away behind our back: so many are cleared out of a line at once.
local GHOSTS = 500

-- It is its turn: to its queue, or to where it waits for its time. What refused it, where something did.
local function take_turn(id, job, at, moved)
  local key, queue_name, due = rq .. 'job:' .. id, job[2] or '', tonumber(job[3] or '')
  local early = due and due > clock('')
  local put
  if early then put = redis.pcall('ZADD', rq .. 'scheduled:' .. queue_name, due, id)
  else put = redis.pcall(job[4] == '1' and 'LPUSH' or 'RPUSH', rq .. 'queue:' .. queue_name, id) end
  if type(put) == 'table' then return put.err end
  redis.pcall('ZREM', rq .. 'deferred:' .. queue_name, id)
  if early then redis.call('HSET', key, 'status', 'scheduled', 'p:turn', at)
  else redis.call('HSET', key, 'status', 'queued', 'enqueued_at', at, 'p:turn', at) end
  local of = moved[early and 'scheduled' or 'enqueued']
  of[queue_name] = of[queue_name] or {}
  table.insert(of[queue_name], id)
end

-- Let whose turn it is take it, if nobody holds the key. What refused it, where something did.
local function follow(key, at, moved)
  local line = own .. 'key:' .. key
  for _ = 1, GHOSTS do
    local id = redis.pcall('ZRANGE', line, 0, 0)[1]
    if not id then redis.pcall('ZREM', own .. 'keys', key); return end
    local job = redis.pcall('HMGET', rq .. 'job:' .. id, 'status', 'origin', 'p:due', 'enqueue_at_front', 'p:token',
      'p:limited')
    if job[6] and job[1] == 'deferred' then return end
    if job[1] == 'deferred' then return take_turn(id, job, at, moved) end
    if HOLDS[job[1]] or job[1] == 'canceled' and is_in_hands(id, job[2] or '', job[5]) then return end
    redis.call('ZREM', line, id)
  end
end

local function tell_turns(moved)
  for event, queues in pairs(moved) do
    for queue_name, ids in pairs(queues) do tell(event, queue_name, ids) end
  end
end

-- `leaving`: key, id, … of jobs that have ended, or are about to.
local function pass_on(leaving, at)
  local moved = {enqueued = {}, scheduled = {}}
  for i = 1, #leaving, 2 do
    redis.pcall('ZREM', own .. 'key:' .. leaving[i], leaving[i + 1])
    follow(leaving[i], at, moved)
  end
  tell_turns(moved)
end
