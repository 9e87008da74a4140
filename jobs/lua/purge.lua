#!lua flags=allow-oom
-- purge: forget dead letters of a queue. Their hashes go when they can no longer be asked back.
local failed, record, undo = unpack(KEYS)
local rq, own, queue_name, about = unpack(ARGV, 1, 4)
-- ids · about: the action, for who undoes it
-- returns for each: 1 purged by this action, 0 not: it is no dead letter (any more)
--@include lasting
--@include publish
--@include record

local given = {unpack(ARGV, 5)}
local scores, recorded = redis.call('ZMSCORE', failed, unpack(given)), redis.call('ZMSCORE', record, unpack(given))
local ids, entries, replies = {}, {}, {}
for i, id in ipairs(given) do
  replies[i] = not scores[i] and recorded[i] and 1 or 0
  if scores[i] and redis.pcall('HGET', rq .. 'job:' .. id, 'status') == 'failed' then
    ids[#ids + 1] = id
    entries[#entries + 1], entries[#entries + 2] = scores[i], id
    replies[i] = 1
  end
end
if #ids == 0 then return replies end
keep_record(undo, about, record, entries)
for _, id in ipairs(ids) do last_for(id, UNDO) end
redis.call('ZREM', failed, unpack(ids))
publish('purged', queue_name, ids)
return replies
