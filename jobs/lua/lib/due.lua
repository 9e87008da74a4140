-- due: move the jobs whose time has come from a set by due time to their queue.
--@include publish

-- `till`: what is due by then. Returns how many entries were due, `limit` where there may be more.
local function move_due(from, queue, till, limit, at)
  local moved, due = {}, redis.call('ZRANGEBYSCORE', from, '-inf', till, 'LIMIT', 0, limit)
  for _, id in ipairs(due) do
    local job = redis.pcall('HMGET', rq .. 'job:' .. id, 'status', 'enqueue_at_front')
    -- A foreign key goes on, too: the claim makes a dead letter of it.
    if job.err or job[1] == 'scheduled' then
      redis.call(job[2] == '1' and 'LPUSH' or 'RPUSH', queue, id)
      moved[#moved + 1] = id
      if not job.err then redis.call('HSET', rq .. 'job:' .. id, 'status', 'queued', 'enqueued_at', at) end
    end
  end
  if #due > 0 then redis.call('ZREM', from, unpack(due)) end
  if #moved > 0 then tell('enqueued', name_of(queue), moved) end
  return #due
end
