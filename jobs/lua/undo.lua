#!lua flags=allow-oom
-- undo: bring dead letters of a queue back to where they stood before the last bulk action, where nobody touched them.
local failed, record = unpack(KEYS)
local rq, own, queue_name, action, verb, now, at = unpack(ARGV, 1, 7)
-- ids, the last that were moved first · verb: 'redrive', 'purge' or 'import'
-- returns for each: 'undone', or what became of it since: 'again' (a dead letter anew), 'gone', 'expired'
--   (the record is gone), or its status
--@include clock
--@include forget
--@include lasting
--@include publish
--@include unredrive
--@include replaced
now = clock(now)

local function undo_import(id, score)
  if bring_back(id, action) then return last_until(score, id, now) end
  redis.call('ZREM', failed, id)
  forget(id)
end

local replies, undone = {}, {}
local function undo(id)
  local score, standing = redis.call('ZSCORE', record, id), redis.call('ZSCORE', failed, id)
  if not score then return 'expired' end
  local job = redis.pcall('HMGET', rq .. 'job:' .. id, 'status', 'enqueued_at', 'p:redriven', 'origin', 'p:imported',
    'p:key', 'p:turn')
  local status, here = job[1] or 'gone', standing == score
  -- Enqueued by that redrive, or, where it waited for its key, when its turn came after it.
  local untouched = job[2] and (job[2] == last_redrive(job[3]) or job[2] == job[7])
  if verb == 'redrive' and untouched and (status == 'queued' or status == 'deferred') then
    undo_redrive(id, score, job)
  elseif verb == 'purge' and status == 'failed' and not standing then
    last_until(score, id, now)
    redis.call('ZADD', failed, score, id)
  elseif verb == 'import' and status == 'failed' and here and job[5] == action then
    undo_import(id, score)
  elseif status == 'failed' and here or verb == 'import' and status == 'gone' and not standing then
    return 'undone'
  else
    return status == 'failed' and 'again' or status
  end
  undone[#undone + 1] = id
  return 'undone'
end

for i = 8, #ARGV do replies[i - 7] = undo(ARGV[i]) end
publish('undone', queue_name, undone)
return replies
