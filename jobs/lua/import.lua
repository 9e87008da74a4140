-- import: write dead letters of a queue that were exported, here or elsewhere.
local failed, record, undo, queues, queue = unpack(KEYS)
local rq, own, queue_name, action, about, replace, now = unpack(ARGV, 1, 7)
-- jobs: id, score, entry of RQ's result stream (''), number of strings that follow, field, value, …
-- action, about: for who undoes it · replace: '1' where dead letters of the same id are replaced
-- returns for each: 'imported', 'replaced', or the status of the job that is in its place
--@include clock
--@include lasting
--@include publish
--@include record
--@include replaced
--@include rq
now = clock(now)

-- What stands there: 'imported' by this action, another's status, or nil.
local function standing(key)
  local job = redis.pcall('HMGET', key, 'status', 'p:imported')
  if job.err then return 'foreign' end
  if job[2] == action then return 'imported' end
  return job[1] or redis.call('EXISTS', key) == 1 and 'broken' or nil
end

local function write(id, score, i)
  redis.call('ZADD', failed, score, id)
  redis.call('HSET', rq .. 'job:' .. id, 'p:imported', action, unpack(ARGV, i + 4, i + 3 + ARGV[i + 3]))
  if ARGV[i + 2] ~= '' and redis.call('EXISTS', rq .. 'results:' .. id) == 0 then rq_keep_result(id, ARGV[i + 2], -1) end
  last_until(score, id, now)
end

local replies, entries, writing, written, i = {}, {}, {}, {}, 8
while ARGV[i] do
  local id, score = ARGV[i], redis.call('ZSCORE', failed, ARGV[i])
  local there = standing(rq .. 'job:' .. id)
  if there == 'failed' and score and replace == '1' then
    put_aside(id, action)
    there = nil
  end
  if not there or there == 'imported' and score == redis.call('ZSCORE', record, id) then
    -- In place of another it is kept as long as that one was to be.
    score = score or ARGV[i + 1]
    entries[#entries + 1], entries[#entries + 2] = score, id
    writing[#writing + 1] = {id, score, i}
    if not there then written[#written + 1] = id end
    there = is_aside(id, action) and 'replaced' or 'imported'
  end
  replies[#replies + 1] = there
  i = i + 4 + ARGV[i + 3]
end
if #writing == 0 then return replies end
keep_record(undo, about, record, entries)
redis.call('SADD', queues, queue)
for _, one in ipairs(writing) do write(unpack(one)) end
publish('imported', queue_name, written)
return replies
