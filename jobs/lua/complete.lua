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
--@include key
--@include kin
--@include publish
--@include dependents
--@include expire
--@include rq
--@include trim
local SIZE = 7
now = clock(now)

local replies, members, settled, done, places, ttls, scores, repeated, leaving = {}, {}, {}, {}, {}, {}, {}, {}, {}
for i = 9, #ARGV, SIZE do
  local id, token = ARGV[i], ARGV[i + 1]
  local reply, key, parent = fence(id, token, process)
  if key then leaving[#leaving + 1], leaving[#leaving + 2] = key, id end
  if reply == 'OK' then
    leave_parent(parent, id)
    local ttl, n = tonumber(ARGV[i + 5]), #done + 1
    local again = ARGV[i + 6] ~= '' and rq_repeat(id, queue_name, now, at)
    if again then
      repeated[n] = again
    elseif ttl ~= 0 then
      scores[#scores + 1], scores[#scores + 2] = ttl > 0 and now + ttl or 'inf', id
    end
    done[n], places[n], ttls[n] = id, i, ttl
  end
  members[#members + 1] = id .. ':' .. token
  replies[#replies + 1] = reply
  -- ALREADY, too: where the first call failed on its way, its dependents still wait.
  if reply ~= 'STALE' then settled[#settled + 1] = id end
end
-- All that may refuse (a foreign key in its place) before the first status: once that is written, a repetition is ALREADY.
if #scores > 0 then redis.call('ZADD', finished, unpack(scores)) end
let_go(wip, held, members)
for n, id in ipairs(done) do
  local i, ttl, again = places[n], ttls[n], repeated[n]
  local entry = ARGV[i + 6]
  redis.call('HSET', rq .. 'job:' .. id, 'status', 'finished', 'started_at', ARGV[i + 3], 'ended_at', ARGV[i + 4],
    'result', entry == '' and ARGV[i + 2] or '')
  if entry ~= '' then rq_settle(id, entry, ttl, again) end
  if not again then expire(id, ARGV[i + 1], ttl) end
end
publish('finished', queue_name, done, process)
pass_on(leaving, at)
free_places(now, at)
-- Before the dependents, whose queues may refuse: a repetition trims nothing.
if #scores > 0 then trim(finished, keep, trim_before, #scores) end
enqueue_dependents(settled, at)
return replies
