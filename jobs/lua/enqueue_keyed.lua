-- enqueue_keyed: write new jobs of one queue, each at the end of its key's line; the first of a line goes where it belongs.
local queues, queue, scheduled, deferred = unpack(KEYS)
local rq, own, now, at, where, due, delay, deadline, within, parent, count = unpack(ARGV, 1, 11)
-- jobs: first `count` strings that all their hashes have in common: field, value, …
--   then for each: id, nonce ('' where the id was made for this job alone), data, key ('': it has none)
-- where, deadline, within, parent, and what is returned: as of enqueue
--@include clock
--@include kin
--@include known
--@include line
--@include place
--@include publish
local FIELDS, JOBS = 12, 12 + count

local replies, ids, places = new_jobs(JOBS, 4)
if #ids == 0 then return replies end
if is_orphan(parent) then return refuse(replies) end
now = clock(now)
local bounds = kin_fields(parent, deadline, within, now)
due = where == 'scheduled' and due_at(due, delay, now)
local ready, waiting, entries, waits = {}, {}, {}, {}
for i, id in ipairs(ids) do
  local key = ARGV[places[i] + 3]
  if key == '' or is_first(key, id) then ready[#ready + 1] = id
  else waiting[#waiting + 1], entries[#entries + 1], entries[#entries + 2], waits[id] = id, now, id, true end
end

-- The ids first: where a foreign key stands in the place of the queue or a line, this fails with no job written.
adopt(parent, ids)
place(ready, where, queue, scheduled, due)
if #waiting > 0 then redis.call('ZADD', deferred, unpack(entries)) end
redis.call('SADD', queues, queue)
line_up(now)
for i, id in ipairs(ids) do
  local nonce, data, key = unpack(ARGV, places[i] + 1, places[i] + 3)
  local fields = {unpack(ARGV, FIELDS, JOBS - 1)}
  local function add(...) for _, one in ipairs({...}) do fields[#fields + 1] = one end end
  if nonce ~= '' then add('p:nonce', nonce) end
  if waits[id] then add('p:key', key, 'status', 'deferred', 'p:due', due or '')
  elseif key ~= '' then add('p:key', key, 'p:turn', at) end
  redis.call('HSET', rq .. 'job:' .. id, 'data', data, unpack(fields))
  if bounds then redis.call('HSET', rq .. 'job:' .. id, unpack(bounds)) end
end
if #ready > 0 then tell(where == 'scheduled' and 'scheduled' or 'enqueued', name_of(queue), ready) end
if #waiting > 0 then tell('deferred', name_of(queue), waiting) end
return replies
