#!lua flags=allow-oom
-- bury: make dead letters of jobs that this process holds.
local wip, failed, held = unpack(KEYS)
local rq, own, process, queue_name, now, at = unpack(ARGV, 1, 6)
-- jobs: id, token, reason, traceback, started_at, ended_at, created_at, attempt, ttl (seconds; 0 keeps nothing, -1
--   for ever), entry of RQ's result stream ('' for a job of ours)
-- returns for each job: OK, ALREADY or STALE
--@include clock
--@include fence
--@include hands
--@include publish
--@include dependents
--@include expire
--@include rq
local SIZE = 10
now = clock(now)

local replies, members, settled, dead, places = {}, {}, {}, {}, {}
for i = 7, #ARGV, SIZE do
  local id, token, ttl = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 8])
  local reply = fence(id, token, process)
  if reply == 'OK' then
    if ttl ~= 0 then redis.call('ZADD', failed, ttl < 0 and -1 or now + ttl, id) end
    dead[#dead + 1], places[#places + 1] = id, i
  end
  members[#members + 1] = id .. ':' .. token
  replies[#replies + 1] = reply
  -- ALREADY, too: where the first call failed on its way, its dependents still wait.
  if reply ~= 'STALE' then settled[#settled + 1] = id end
end
-- All that may refuse (a foreign key in its place) before the first status: once that is written, a repetition is ALREADY.
let_go(wip, held, members)
for n, i in ipairs(places) do
  local id, ttl = dead[n], tonumber(ARGV[i + 8])
  local key = rq .. 'job:' .. id
  -- A hash that lost its data would stop RQ's readers; an empty call does not.
  redis.call('HSETNX', key, 'data', '')
  redis.call('HSET', key, 'status', 'failed', 'p:reason', ARGV[i + 2], 'exc_info', ARGV[i + 3], 'started_at',
    ARGV[i + 4], 'ended_at', ARGV[i + 5], 'created_at', ARGV[i + 6], 'p:attempt', ARGV[i + 7], 'origin', queue_name)
  if ARGV[i + 9] ~= '' then rq_settle(id, ARGV[i + 9], ttl) end
  expire(id, ARGV[i + 1], ttl)
end
publish('buried', queue_name, dead)
enqueue_dependents(settled, at)
return replies
