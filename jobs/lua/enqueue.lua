-- enqueue: write new jobs of one queue and put their ids where they belong.
local queues, queue, scheduled = unpack(KEYS)
local rq, own, now, where, due, delay, count = unpack(ARGV, 1, 7)
-- jobs: first `count` strings that all their hashes have in common: field, value, …
--   then for each: id, nonce ('' where the id was made for this job alone), data
-- where: 'back', 'front' or 'scheduled' (at `due`, or `delay` seconds from now)
-- returns for each job: 1 written, 0 this very job was written before (a replay), -1 the id is another job's
--@include clock
--@include publish
--@include tombstone
local FIELDS, JOBS = 8, 8 + count

local function known(id, nonce)
  if redis.call('EXISTS', rq .. 'job:' .. id, own .. 'gone:' .. id) == 0 then return 1 end
  if nonce == '' then return 0 end
  local stored = redis.pcall('HGET', rq .. 'job:' .. id, 'p:nonce')
  if stored == nonce then return 0 end
  if redis.call('EXISTS', rq .. 'job:' .. id) == 1 then return -1 end
  local _, deleted = tombstone(id)
  return deleted == nonce and 0 or 1
end

-- One look for a whole batch: hardly any was sent before.
local keys, replies, ids, places, new = {}, {}, {}, {}, {}
for at = JOBS, #ARGV, 3 do
  keys[#keys + 1], keys[#keys + 2] = rq .. 'job:' .. ARGV[at], own .. 'gone:' .. ARGV[at]
end
local all_new = redis.call('EXISTS', unpack(keys)) == 0

for at = JOBS, #ARGV, 3 do
  local id = ARGV[at]
  local reply = new[id] and -1 or all_new and 1 or known(id, ARGV[at + 1])
  if reply == 1 then
    new[id] = true
    ids[#ids + 1], places[#ids + 1] = id, at
  end
  replies[#replies + 1] = reply
end
if #ids == 0 then return replies end

-- The ids first: where a foreign key stands in the queue's place, this fails with nothing written.
if where == 'scheduled' then
  local when = due ~= '' and tonumber(due) or clock(now) + tonumber(delay)
  local entries = {}; for i, id in ipairs(ids) do entries[2 * i - 1], entries[2 * i] = when, id end
  redis.call('ZADD', scheduled, unpack(entries))
elseif where == 'front' then
  local reversed = {}; for i, id in ipairs(ids) do reversed[#ids + 1 - i] = id end
  redis.call('LPUSH', queue, unpack(reversed))
else
  redis.call('RPUSH', queue, unpack(ids))
end
redis.call('SADD', queues, queue)
for i, id in ipairs(ids) do
  local job, nonce, data = rq .. 'job:' .. id, ARGV[places[i] + 1], ARGV[places[i] + 2]
  -- In one command: a hash without its nonce would be taken for a rival's.
  if nonce == '' then redis.call('HSET', job, 'data', data, unpack(ARGV, FIELDS, JOBS - 1))
  else redis.call('HSET', job, 'p:nonce', nonce, 'data', data, unpack(ARGV, FIELDS, JOBS - 1)) end
end
tell(where == 'scheduled' and 'scheduled' or 'enqueued', name_of(queue), ids)
return replies
