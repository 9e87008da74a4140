-- claim: hand the jobs at the head of a queue to a worker process.
local queue, wip, held, leases, last_token = unpack(KEYS)
local rq, own, process, queue_name, request, limit, lease, now = unpack(ARGV, 1, 8)
-- request: the caller's number for this call. A replay (its reply was lost) gets the same jobs again.
-- returns: the token, then for each job its id and the values of FIELDS; {} where nothing was to be had
--@include clock
local FIELDS = {'status', 'data', 'p:type', 'p:attempt', 'timeout', 'result_ttl', 'created_at', 'success_callback_name',
  'p:reason'}
local MAX_BYTES = 1000000

local function values_of(id)
  local values = redis.pcall('HMGET', rq .. 'job:' .. id, unpack(FIELDS))
  if not values.err then return values end
  -- Something else stands where the hash belongs. Put it aside, so that the job can end as a dead letter.
  redis.call('RENAME', rq .. 'job:' .. id, own .. 'foreign:' .. id)
  values = redis.call('HMGET', rq .. 'job:' .. id, unpack(FIELDS))
  values[1], values[3] = 'queued', 'foreign'
  return values
end

-- Which ids on the list are jobs to run: docs/internals.md has the table. Everything else is a leftover of RQ's pushes
-- and of lazy cancellation; its job, if there is one, stands in another structure.
local function may_run(id, values)
  local status = values[1]
  return status == 'queued' or status == 'created' or (not status and redis.call('EXISTS', rq .. 'job:' .. id) == 1)
end

local function reply_with(reply, id, values)
  reply[#reply + 1] = id
  for i = 1, #FIELDS do reply[#reply + 1] = values[i] end
end

local last, last_claim = string.match(redis.call('HGET', held, '@' .. queue_name) or '', '^(%S+) (%S+)$')
if last == request then
  local reply = {last_claim}
  for _, member in ipairs(redis.call('HKEYS', held)) do
    local id, token = string.match(member, '^([^@:]+):(.+)$')
    if token == last_claim then reply_with(reply, id, values_of(id)) end
  end
  return reply
end

local ids = redis.call('LRANGE', queue, 0, limit - 1)
if #ids == 0 then return {} end
local token = redis.call('INCR', last_token)
local reply, entries, members, seen, taken, bytes, popped = {token}, {}, {}, {}, {}, 0, 0
for _, id in ipairs(ids) do
  popped = popped + 1
  local values = values_of(id)
  if not seen[id] and may_run(id, values) then
    seen[id] = true
    taken[#taken + 1] = id
    reply_with(reply, id, values)
    local member = id .. ':' .. token
    entries[#entries + 1], members[#members + 1] = 'inf', member
    entries[#entries + 1], members[#members + 1] = member, queue_name
    if not values[3] or values[8] then redis.call('PERSIST', rq .. 'job:' .. id) end
    bytes = bytes + #(values[2] or '')
    if bytes > MAX_BYTES then break end
  end
end
if #taken > 0 then
  redis.call('ZADD', wip, unpack(entries))
  redis.call('HSET', held, '@' .. queue_name, request .. ' ' .. token, unpack(members))
  redis.call('ZADD', leases, clock(now) + lease, process)
  for _, id in ipairs(taken) do
    redis.call('HSET', rq .. 'job:' .. id, 'status', 'started', 'worker_name', process, 'p:token', token)
  end
end
redis.call('LTRIM', queue, popped, -1)
return #taken > 0 and reply or {}
