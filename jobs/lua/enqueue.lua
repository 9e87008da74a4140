-- enqueue: write new jobs of one queue and put their ids where they belong.
local queues, queue, scheduled = unpack(KEYS)
local rq, own, now, where, due, delay = unpack(ARGV, 1, 6)
-- jobs: id, nonce ('' where the id was made for this job alone), number of strings that follow, field, value, …
-- where: 'back', 'front' or 'scheduled' (at `due`, or `delay` seconds from now)
-- returns for each job: 1 written, 0 this very job was written before (a replay), -1 the id is another job's
--@include clock
--@include tombstone

local function known(id, nonce)
  if redis.call('EXISTS', rq .. 'job:' .. id, own .. 'gone:' .. id) == 0 then return 1 end
  if nonce == '' then return 0 end
  local stored = redis.pcall('HGET', rq .. 'job:' .. id, 'p:nonce')
  if stored == nonce then return 0 end
  if redis.call('EXISTS', rq .. 'job:' .. id) == 1 then return -1 end
  local _, deleted = tombstone(id)
  return deleted == nonce and 0 or 1
end

local replies, ids, fields, new, at = {}, {}, {}, {}, 7
while ARGV[at] do
  local id, count = ARGV[at], tonumber(ARGV[at + 2])
  local reply = new[id] and -1 or known(id, ARGV[at + 1])
  if reply == 1 then
    new[id] = true
    ids[#ids + 1] = id
    fields[#ids] = at + 3
  end
  replies[#replies + 1] = reply
  at = at + 3 + count
end
if #ids == 0 then return replies end

-- The ids first: where a foreign key stands in the queue's place, this fails with nothing written.
if where == 'scheduled' then
  local when = due ~= '' and tonumber(due) or clock(now) + tonumber(delay)
  local entries = {}
  for i, id in ipairs(ids) do entries[2 * i - 1], entries[2 * i] = when, id end
  redis.call('ZADD', scheduled, unpack(entries))
elseif where == 'front' then
  local reversed = {}
  for i, id in ipairs(ids) do reversed[#ids + 1 - i] = id end
  redis.call('LPUSH', queue, unpack(reversed))
else
  redis.call('RPUSH', queue, unpack(ids))
end
redis.call('SADD', queues, queue)
for i, id in ipairs(ids) do
  local first = fields[i]
  redis.call('HSET', rq .. 'job:' .. id, unpack(ARGV, first, first + ARGV[first - 1] - 1))
end
return replies
