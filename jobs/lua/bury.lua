#!lua flags=allow-oom
-- bury: make dead letters of jobs that this process holds.
local wip, failed, held = unpack(KEYS)
local rq, own, process, queue_name, now, at = unpack(ARGV, 1, 6)
-- jobs: id, token, ttl (seconds; 0 keeps nothing, -1 for ever), entry of RQ's result stream ('' for a job of ours), the
--   execution that failed ('': none), number of strings that follow, field, value, …
-- returns for each job: OK, ALREADY or STALE
--@include burials
--@include clock
--@include fence
--@include hands
--@include history
--@include key
--@include kin
--@include publish
--@include dependents
--@include expire
--@include rq
now = clock(now)

local replies, members, settled, dead, places, leaving, i = {}, {}, {}, {}, {}, {}, 7
while ARGV[i] do
  local id, token, ttl = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2])
  local reply, key, parent = fence(id, token, process)
  if key then leaving[#leaving + 1], leaving[#leaving + 2] = key, id end
  if reply == 'OK' then
    leave_parent(parent, id)
    if ttl ~= 0 then redis.call('ZADD', failed, ttl < 0 and -1 or now + ttl, id) end
    dead[#dead + 1], places[#places + 1] = id, i
    note_burial(id, i + 6, i + 5 + ARGV[i + 5])
  end
  members[#members + 1] = id .. ':' .. token
  replies[#replies + 1] = reply
  -- ALREADY, too: where the first call failed on its way, its dependents still wait.
  if reply ~= 'STALE' then settled[#settled + 1] = id end
  i = i + 6 + tonumber(ARGV[i + 5])
end
-- All that may refuse (a foreign key in its place) before the first status: once that is written, a repetition is ALREADY.
redis.call('XLEN', own .. 'dead')
let_go(wip, held, members)
record_burials(queue_name)
for n, place in ipairs(places) do
  local id, token, ttl, entry, failure, count = dead[n], unpack(ARGV, place + 1, place + 5)
  local key = rq .. 'job:' .. id
  -- A hash that lost its data would stop RQ's readers; an empty call does not.
  redis.call('HSETNX', key, 'data', '')
  redis.call('HSET', key, 'status', 'failed', 'origin', queue_name, unpack(ARGV, place + 6, place + 5 + count))
  keep_failure(key, failure)
  if entry ~= '' then rq_settle(id, entry, tonumber(ttl)) end
  expire(id, token, tonumber(ttl))
end
publish('buried', queue_name, dead, process)
pass_on(leaving, at)
free_places(now, at)
enqueue_dependents(settled, at)
return replies
