-- redrive: put dead letters of a queue back on its list, at the tail; or on that of another queue. One with a key goes to the
--   end of its line.
local failed, record, undo, queues, target = unpack(KEYS)
local rq, own, queue_name, target_name, about, now, at = unpack(ARGV, 1, 7)
-- ids · about: the action, for who undoes it · target, target_name: the queue that they go to
-- Its reason, attempts and times stay until a claim begins it anew, so that undo has nothing to bring back.
-- returns for each: 1 redriven by this action, 0 not: it is no dead letter (any more), or died again since
--@include clock
--@include lasting
--@include line
--@include publish
--@include record
--@include redriven

local given = {unpack(ARGV, 8)}
local scores, recorded = redis.call('ZMSCORE', failed, unpack(given)), redis.call('ZMSCORE', record, unpack(given))
local ids, times, entries, replies, moved = {}, {}, {}, {}, {}
local keys, ready, waits, waiting = {}, {}, {}, {}
for i, id in ipairs(given) do
  local score, mine = scores[i], recorded[i]
  replies[i] = not score and mine and 1 or 0
  if score and not moved[id] then
    local job = redis.pcall('HMGET', rq .. 'job:' .. id, 'status', 'p:redriven', 'p:key')
    -- This very call, which failed on its way: it does all of it again.
    local halfway = (job[1] == 'queued' or job[1] == 'deferred') and last_redrive(job[2]) == at
    if halfway or job[1] == 'failed' and not mine then
      moved[id], replies[i], ids[#ids + 1] = true, 1, id
      times[#ids], keys[id] = halfway and job[2] or add_redrive(job[2], at), job[3]
      if job[3] then now = clock(now) end
      if not job[3] or is_first(job[3], id) then ready[#ready + 1] = id
      else waiting[#waiting + 1], waiting[#waiting + 2], waits[id] = now, id, true end
      entries[#entries + 1], entries[#entries + 2] = score, id
    end
  end
end
if #ids == 0 then return replies end
-- The list first: where a foreign key stands in its place, this fails with nothing written.
if #ready > 0 then redis.call('RPUSH', target, unpack(ready)) end
if #waiting > 0 then redis.call('ZADD', rq .. 'deferred:' .. target_name, unpack(waiting)) end
redis.call('SADD', queues, target)
line_up(now)
for i, id in ipairs(ids) do
  last_for(id)
  local job = rq .. 'job:' .. id
  redis.call('HSET', job, 'status', waits[id] and 'deferred' or 'queued', 'enqueued_at', at, 'p:redriven', times[i],
    'origin', target_name)
  if keys[id] and not waits[id] then redis.call('HSET', job, 'p:turn', at) end
end
keep_record(undo, about, record, entries)
redis.call('ZREM', failed, unpack(ids))
publish('redriven', target_name, ids)
return replies
