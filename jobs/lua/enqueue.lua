-- enqueue: write new jobs of one queue and put their ids where they belong.
local queues, queue, scheduled = unpack(KEYS)
local rq, own, now, where, due, delay, deadline, within, parent, count = unpack(ARGV, 1, 10)
-- jobs: first `count` strings that all their hashes have in common: field, value, …
--   then for each: id, nonce ('' where the id was made for this job alone), data
-- where: 'back', 'front' or 'scheduled' (at `due`, or `delay` seconds from now)
-- deadline, within, parent: as of lib/kin.lua; '' for none
-- returns for each job: 1 written, 0 this very job was written before (a replay), -1 the id is another job's, -2 its parent
--   was canceled
--@include clock
--@include kin
--@include known
--@include place
--@include publish
local FIELDS, JOBS = 11, 11 + count

local replies, ids, places = new_jobs(JOBS, 3)
if #ids == 0 then return replies end
if is_orphan(parent) then return refuse(replies) end
local bounds = kin_fields(parent, deadline, within, now)
-- The ids first: where a foreign key stands in the place of the queue or the children, this fails with no job written.
adopt(parent, ids)
place(ids, where, queue, scheduled, where == 'scheduled' and due_at(due, delay, now))
redis.call('SADD', queues, queue)
for i, id in ipairs(ids) do
  local job, nonce, data = rq .. 'job:' .. id, ARGV[places[i] + 1], ARGV[places[i] + 2]
  -- In one command: a hash without its nonce would be taken for a rival's.
  if nonce == '' then redis.call('HSET', job, 'data', data, unpack(ARGV, FIELDS, JOBS - 1))
  else redis.call('HSET', job, 'p:nonce', nonce, 'data', data, unpack(ARGV, FIELDS, JOBS - 1)) end
  if bounds then redis.call('HSET', job, unpack(bounds)) end
end
tell(where == 'scheduled' and 'scheduled' or 'enqueued', name_of(queue), ids)
return replies
