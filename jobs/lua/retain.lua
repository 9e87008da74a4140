#!lua flags=allow-oom
-- retain: forget what is past its time. Hashes of ended jobs expire by themselves; their registry entries are swept here.
local finished, failed, canceled = unpack(KEYS)
local rq, now, canceled_ttl, limit = unpack(ARGV, 1, 4)
-- returns: how many canceled jobs were forgotten; call again while it is `limit`
--@include clock
--@include forget
now = clock(now)

redis.call('ZREMRANGEBYSCORE', finished, 0, now)
redis.call('ZREMRANGEBYSCORE', failed, 0, now)
local old = redis.call('ZRANGEBYSCORE', canceled, '-inf', now - canceled_ttl, 'LIMIT', 0, limit)
for _, id in ipairs(old) do
  -- Requeued meanwhile, it is no longer canceled and stays.
  if redis.pcall('HGET', rq .. 'job:' .. id, 'status') == 'canceled' then forget(id) end
end
if #old > 0 then redis.call('ZREM', canceled, unpack(old)) end
return #old
