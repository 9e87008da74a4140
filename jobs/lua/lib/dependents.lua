-- dependents: enqueue the deferred jobs whose last open dependency has just ended.
-- RQ's rule (rq.job.Job.dependencies_are_met): a dependency is met when it finished, was deleted, or failed where the
-- dependent allows that; and when it has just finished, though it is to be repeated. RQ's key of a job's dependencies
-- has two colons.
--@include publish
local function dependencies_met(id, allow_failure, ended)
  local dependencies = redis.pcall('SMEMBERS', rq .. 'job::' .. id .. ':dependencies')
  -- Something foreign stands there: nobody knows what it waits for, and so it waits.
  if dependencies.err then return false end
  for _, dependency in ipairs(dependencies) do
    local status = redis.pcall('HGET', rq .. 'job:' .. dependency, 'status')
    local met = not status or status == 'finished' or (status == 'failed' and allow_failure)
      or (status ~= 'failed' and dependency == ended)
    if not met then return false end
  end
  return true
end

local function enqueue_dependents_of(id, at)
  local waiting = rq .. 'job:' .. id .. ':dependents'
  -- Something foreign there names nobody; refusing, it would keep a whole batch from being settled.
  for _, dependent in ipairs(redis.pcall('SMEMBERS', waiting)) do
    local key = rq .. 'job:' .. dependent
    local job = redis.pcall('HMGET', key, 'status', 'origin', 'allow_dependency_failures', 'enqueue_at_front')
    local status, queue_name = job[1], job[2]
    if status ~= 'deferred' then
      redis.call('SREM', waiting, dependent)
    elseif queue_name and dependencies_met(dependent, job[3] == '1', id) then
      local queue = rq .. 'queue:' .. queue_name
      redis.call(job[4] == '1' and 'LPUSH' or 'RPUSH', queue, dependent)
      redis.call('SADD', rq .. 'queues', queue)
      redis.call('ZREM', rq .. 'deferred:' .. queue_name, dependent)
      redis.call('HSET', key, 'status', 'queued', 'enqueued_at', at)
      redis.call('SREM', waiting, dependent)
      tell('enqueued', queue_name, {dependent})
    end
  end
end

-- One look for a whole batch: hardly any job has dependents.
local function enqueue_dependents(ids, at)
  if #ids == 0 then return end
  local keys = {}
  for i, id in ipairs(ids) do keys[i] = rq .. 'job:' .. id .. ':dependents' end
  if redis.call('EXISTS', unpack(keys)) == 0 then return end
  for _, id in ipairs(ids) do enqueue_dependents_of(id, at) end
end
