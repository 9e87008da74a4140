#!lua flags=allow-oom
-- complete: accept the results of jobs that this process holds.
local wip, finished, held = unpack(KEYS)
local rq, own, process, queue_name, now, at, keep, trim_before = unpack(ARGV, 1, 8)
-- jobs: id, token, result, started_at, ended_at, ttl (seconds; 0 keeps nothing, -1 for ever), entry of RQ's result
--   stream ('' for a job of ours)
-- at: now, as RQ writes it · keep: finished jobs kept per queue · trim_before: none that ended later is trimmed
-- returns for each job: OK, ALREADY or STALE
--@include clock
--@include fence
--@include hands
--@include publish
--@include dependents
--@include expire
--@include rq
--@include trim
local SIZE = 7
now = clock(now)

local function finish(id, i)
  local token, ttl, entry = ARGV[i + 1], tonumber(ARGV[i + 5]), ARGV[i + 6]
  redis.call('HSET', rq .. 'job:' .. id, 'status', 'finished', 'started_at', ARGV[i + 3], 'ended_at', ARGV[i + 4],
    'result', entry == '' and ARGV[i + 2] or '')
  if entry ~= '' then
    rq_keep_result(id, entry, ttl)
    if rq_repeat(id, queue_name, now, at) then return end
    rq_expire(id, ttl)
  end
  expire(id, token, ttl)
  if ttl ~= 0 then return ttl > 0 and now + ttl or 'inf' end
end

local replies, members, settled, done, scores = {}, {}, {}, {}, {}
for i = 9, #ARGV, SIZE do
  local id, token = ARGV[i], ARGV[i + 1]
  local reply = fence(id, token, process)
  if reply == 'OK' then
    local score = finish(id, i)
    done[#done + 1] = id
    if score then scores[#scores + 1], scores[#scores + 2] = score, id end
  end
  members[#members + 1] = id .. ':' .. token
  replies[#replies + 1] = reply
  -- ALREADY, too: where the first call failed on its way, its dependents still wait.
  if reply ~= 'STALE' then settled[#settled + 1] = id end
end
if #scores > 0 then redis.call('ZADD', finished, unpack(scores)) end
let_go(wip, held, members)
enqueue_dependents(settled, at)
publish('finished', queue_name, done)
trim(finished, keep, trim_before, 2 * #done)
return replies
