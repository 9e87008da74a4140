#!lua flags=allow-oom
-- permit: of limits whose rate lets the next job begin, let it.
local permits = unpack(KEYS)
local rq, own, limit, now, at = unpack(ARGV, 1, 5)
-- returns: how many were due, `limit` where there may be more; and in how many seconds the next is, '' if none
--@include limited

now = clock(now)
local function first() return tonumber(redis.call('ZRANGE', permits, 0, 0, 'WITHSCORES')[2]) end

local following = first()
if not following or following > now then return {0, following and tostring(following - now) or ''} end
local limits, moved = redis.call('ZRANGEBYSCORE', permits, '-inf', now, 'LIMIT', 0, limit), {}
redis.call('ZREM', permits, unpack(limits))
for _, name in ipairs(limits) do wake(name, now, at, moved) end
for queue_name, ids in pairs(moved) do tell('enqueued', queue_name, ids) end
following = first()
return {#limits, following and tostring(following - now) or ''}
