#!lua flags=allow-oom
-- undo: bring dead letters of a queue back to where they stood before the last bulk action, where nobody touched them.
local failed, record = unpack(KEYS)
local rq, own, queue_name, action, verb, now = unpack(ARGV, 1, 6)
-- ids, the last that were moved first · verb: 'redrive', 'purge' or 'import'
-- returns for each: 'undone', or what became of it since: 'again' (a dead letter anew), 'gone', 'expired'
--   (the record is gone), or its status
--@include clock
--@include forget
--@include lasting
--@include publish
--@include redriven
--@include replaced
-- Of a list's end so much is searched for an id. Farther from it, it stays, and the claim discards it.
local NEAR = 1000
now = clock(now)

local function undo_redrive(id, score, job)
  local list, times = rq .. 'queue:' .. job[4], drop_redrive(job[3])
  -- The list first: where a foreign key stands in its place, this fails with nothing written.
  local is_near = redis.call('LPOS', list, id, 'RANK', -1, 'MAXLEN', NEAR)
  redis.call('ZADD', failed, score, id)
  last_until(score, id, now)
  redis.call('HSET', rq .. 'job:' .. id, 'status', 'failed', 'origin', queue_name, 'p:redriven', times or '')
  if not times then redis.call('HDEL', rq .. 'job:' .. id, 'p:redriven') end
  if is_near then redis.call('LREM', list, -1, id) end
end

local function undo_import(id, score)
  if bring_back(id, action) then return last_until(score, id, now) end
  redis.call('ZREM', failed, id)
  forget(id)
end

local replies, undone = {}, {}
local function undo(id)
  local score, standing = redis.call('ZSCORE', record, id), redis.call('ZSCORE', failed, id)
  if not score then return 'expired' end
  local job = redis.pcall('HMGET', rq .. 'job:' .. id, 'status', 'enqueued_at', 'p:redriven', 'origin', 'p:imported')
  local status, here = job[1] or 'gone', standing == score
  if verb == 'redrive' and status == 'queued' and job[2] == last_redrive(job[3]) then
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

for i = 7, #ARGV do replies[i - 6] = undo(ARGV[i]) end
publish('undone', queue_name, undone)
return replies
