-- redrive: put dead letters of a queue back on its list, at the tail; or on that of another queue.
local failed, record, undo, queues, target = unpack(KEYS)
local rq, own, queue_name, target_name, about, at = unpack(ARGV, 1, 6)
-- ids · about: the action, for who undoes it · target, target_name: the queue that they go to
-- Its reason, attempts and times stay until a claim begins it anew, so that undo has nothing to bring back.
-- returns for each: 1 redriven by this action, 0 not: it is no dead letter (any more), or died again since
--@include lasting
--@include publish
--@include record
--@include redriven

local given = {unpack(ARGV, 7)}
local scores, recorded = redis.call('ZMSCORE', failed, unpack(given)), redis.call('ZMSCORE', record, unpack(given))
local ids, times, entries, replies, moved = {}, {}, {}, {}, {}
for i, id in ipairs(given) do
  local score, mine = scores[i], recorded[i]
  replies[i] = not score and mine and 1 or 0
  if score and not moved[id] then
    local job = redis.pcall('HMGET', rq .. 'job:' .. id, 'status', 'p:redriven')
    -- This very call, which failed on its way: it does all of it again.
    local halfway = job[1] == 'queued' and last_redrive(job[2]) == at
    if halfway or job[1] == 'failed' and not mine then
      moved[id], replies[i], ids[#ids + 1] = true, 1, id
      times[#ids] = halfway and job[2] or add_redrive(job[2], at)
      entries[#entries + 1], entries[#entries + 2] = score, id
    end
  end
end
if #ids == 0 then return replies end
-- The list first: where a foreign key stands in its place, this fails with nothing written.
redis.call('RPUSH', target, unpack(ids))
redis.call('SADD', queues, target)
for i, id in ipairs(ids) do
  last_for(id)
  redis.call('HSET', rq .. 'job:' .. id, 'status', 'queued', 'enqueued_at', at, 'p:redriven', times[i],
    'origin', target_name)
end
keep_record(undo, about, record, entries)
redis.call('ZREM', failed, unpack(ids))
publish('redriven', target_name, ids)
return replies
