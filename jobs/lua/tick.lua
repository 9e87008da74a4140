-- tick: what is due of a schedule becomes a job, and its next tick is set.
local schedule, ticks, queues, queue, scheduled, deferred = unpack(KEYS)
local rq, own, name, digest, due, following, made, overlap, run_at, id, data, key, at = unpack(ARGV, 1, 13)
-- due: the tick that it was found waiting for · made: the one to make, id: its job; both '' where it is dropped
-- run_at: '' for at once · key: its job's, or '' · then what its hash holds besides: field, value, …
-- returns: OK, SKIPPED, WAITS (the job before has not ended), ALREADY (made, by this call or another's), or STALE
--@include clock
--@include line
local ENDED = {finished = true, failed = true, canceled = true, stopped = true}

local known = redis.call('HMGET', schedule, 'digest', 'job')
local waits_for = tonumber(redis.call('ZSCORE', ticks, name) or '')
-- Of all who found it due, one sets it. The id alone would not do: its job may have come and gone meanwhile.
if id ~= '' and known[2] == id then return 'ALREADY' end
if known[1] ~= digest or waits_for ~= tonumber(due) then return 'STALE' end

local reply = id == '' and 'SKIPPED' or 'OK'
if reply == 'OK' and overlap ~= 'allow' and known[2] then
  -- What is no hash has no status, and is waited for by nobody.
  local status = redis.pcall('HGET', rq .. 'job:' .. known[2], 'status')
  if type(status) == 'string' and not ENDED[status] then
    if overlap == 'queue' then return 'WAITS' end
    reply = 'SKIPPED'
  end
end
if reply == 'OK' then
  -- It is there where the schedule was removed and added again.
  if redis.call('EXISTS', rq .. 'job:' .. id) == 0 then
    local waits = key ~= '' and not is_first(key, id)
    if waits then redis.call('ZADD', deferred, clock(''), id)
    elseif run_at == '' then redis.call('RPUSH', queue, id)
    else redis.call('ZADD', scheduled, run_at, id) end
    redis.call('SADD', queues, queue)
    if key ~= '' then line_up(clock('')) end
    redis.call('HSET', rq .. 'job:' .. id, 'data', data, unpack(ARGV, 14))
    if waits then redis.call('HSET', rq .. 'job:' .. id, 'p:key', key, 'status', 'deferred', 'p:due', run_at)
    elseif key ~= '' then redis.call('HSET', rq .. 'job:' .. id, 'p:key', key, 'p:turn', at) end
  end
  redis.call('HSET', schedule, 'job', id, 'last', made)
end
redis.call('ZADD', ticks, following, name)
return reply
