-- limited: jobs that wait for a place in a limit, and those that get it.
--@include limit

-- It waits in the limit's line, at the end.
local function park(id, limit, text, queue_name, now)
  local state = states[limit]
  -- With a millionth of a second between those that come at once: they keep their order.
  state.parked = (state.parked or 0) + 1
  redis.call('ZADD', own .. 'limited:' .. limit, 'NX', now + state.parked / 1000000, id)
  redis.pcall('ZADD', rq .. 'deferred:' .. queue_name, now, id)
  redis.call('HSET', rq .. 'job:' .. id, 'status', 'deferred', 'p:limits', text, 'p:limited', limit)
  redis.pcall('ZADD', own .. 'limits:busy', 'NX', now, limit)
  if state.every > 0 then redis.pcall('ZADD', own .. 'limits:due', next_of(state), limit) end
  state.line = state.line + 1
end

-- Those that are first in the line get the places that are free, and go to the heads of their queues.
local function wake(limit, now, at, moved)
  local line, state, woken = own .. 'limited:' .. limit, state_of(limit), {}
  while #woken < WAKE and (not state or has_room(state, now)) do
    local id = redis.pcall('ZRANGE', line, 0, 0)[1]
    local job = id and redis.pcall('HMGET', rq .. 'job:' .. id, 'status', 'origin', 'p:limits', 'p:limited') or {}
    local waits = job[1] == 'deferred' and job[4] == limit
    -- Something foreign in the place of its queue: it waits on, and with it those behind it.
    if not id or waits and type(redis.pcall('LLEN', rq .. 'queue:' .. job[2])) ~= 'number' then break end
    redis.call('ZREM', line, id)
    if state then state.line = state.line - 1 end
    local other = waits and enter(id, job[3], now, limit)
    if other then park(id, other, job[3], job[2], now)
    elseif waits then woken[#woken + 1] = {id, job[2], job[3]} end
  end
  for i = #woken, 1, -1 do
    local id, queue_name, text = unpack(woken[i])
    redis.call('LPUSH', rq .. 'queue:' .. queue_name, id)
    redis.pcall('ZREM', rq .. 'deferred:' .. queue_name, id)
    redis.call('HSET', rq .. 'job:' .. id, 'status', 'queued', 'enqueued_at', at, 'p:limits', '+' .. text)
    redis.call('HDEL', rq .. 'job:' .. id, 'p:limited')
    moved[queue_name] = moved[queue_name] or {}
    table.insert(moved[queue_name], 1, id)
  end
  write_places(now)
  if state and state.line > 0 and (state.every > 0 or has_room(state, now)) then
    redis.pcall('ZADD', own .. 'limits:due', math.max(next_of(state), now), limit)
  end
end
