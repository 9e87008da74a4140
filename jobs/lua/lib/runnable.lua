-- runnable: which ids on a queue's list are jobs to run, and what running them needs to know.
local FIELDS = {'status', 'data', 'p:type', 'p:attempt', 'p:first', 'timeout', 'result_ttl', 'created_at',
  'success_callback_name', 'p:reason', 'p:deaths', 'p:deadline', 'p:limits'}
local STATUS, DATA, TYPE, ATTEMPT, FIRST, SAVED_BY_RQ, REASON, DEATHS, DEADLINE, LIMITS = 1, 2, 3, 4, 5, 9, 10, 11, 12,
  13

-- What only observers read costs nothing where there are none: the caller names it.
local function ask_for(more) for _, field in ipairs(more) do FIELDS[#FIELDS + 1] = field end end

-- Where something else stands in the hash's place, the id goes to `aside` and the job can end as a dead letter.
local function values_of(id, aside)
  local values = redis.pcall('HMGET', rq .. 'job:' .. id, unpack(FIELDS))
  if not values.err then return values end
  aside[#aside + 1], values = id, {}
  for i = 1, #FIELDS do values[i] = false end
  values[STATUS], values[TYPE] = 'queued', 'foreign'
  return values
end

-- Not until the job is taken: of an id without its key a repetition would think that it was deleted.
local function put_aside(ids)
  for _, id in ipairs(ids) do redis.call('RENAME', rq .. 'job:' .. id, own .. 'foreign:' .. id) end
end

-- docs/internals.md has the table. Every other id is a leftover of RQ's pushes or of a lazy cancellation; its job, if
-- there is one, stands in another structure.
local function may_run(id, values)
  local status = values[STATUS]
  return status == 'queued' or status == 'created' or (not status and redis.call('EXISTS', rq .. 'job:' .. id) == 1)
end

-- RQ's rule for ids (rq.job.JOB_ID_PATTERN). One that breaks it cannot be a job; it is kept for whoever put it there.
local function is_id(text)
  if string.match(text, '^[%w_-]+$') then return true end
  redis.call('RPUSH', own .. 'refused', text)
  return false
end
