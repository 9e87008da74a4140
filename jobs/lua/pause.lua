#!lua flags=allow-oom
-- pause: let nobody claim from a queue, or let it be claimed from again.
local paused = unpack(KEYS)
local own, queue_name, event = unpack(ARGV, 1, 3)
-- event: 'paused' or 'resumed'
-- returns: 1, or 0 where it was so already
--@include publish

local changed = redis.call(event == 'paused' and 'SADD' or 'SREM', paused, queue_name)
if changed == 1 then tell(event, queue_name, {}) end
return changed
