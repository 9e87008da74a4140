#!lua flags=allow-oom
-- retain: forget what is past its time. Hashes of ended jobs expire by themselves; their registry entries are swept here.
local finished, failed, canceled, expired = unpack(KEYS)
local rq, now, canceled_ttl, keep_dead, limit = unpack(ARGV, 1, 5)
-- keep_dead: dead letters that stay at most, besides those that are kept for ever (score -1)
-- returns: how many jobs were forgotten, at most `limit` of a kind; call again while it is `limit`
--@include clock
--@include forget
now = clock(now)

redis.call('ZREMRANGEBYSCORE', finished, 0, now)
redis.call('ZREMRANGEBYSCORE', failed, 0, now)
redis.call('ZREMRANGEBYSCORE', expired, '-inf', now - canceled_ttl)
local old = redis.call('ZRANGEBYSCORE', canceled, '-inf', now - canceled_ttl, 'LIMIT', 0, limit)
for _, id in ipairs(old) do
  -- Requeued meanwhile, it is no longer canceled and stays.
  if redis.pcall('HGET', rq .. 'job:' .. id, 'status') == 'canceled' then forget(id) end
end
if #old > 0 then redis.call('ZREM', canceled, unpack(old)) end
-- Beyond the number those first whose time is over first.
local beyond = math.min(limit, redis.call('ZCOUNT', failed, 0, '+inf') - keep_dead)
if beyond <= 0 then return #old end
local dead = redis.call('ZRANGEBYSCORE', failed, 0, '+inf', 'LIMIT', 0, beyond)
for _, id in ipairs(dead) do
  if redis.pcall('HGET', rq .. 'job:' .. id, 'status') == 'failed' then forget(id) end
end
redis.call('ZREM', failed, unpack(dead))
return math.max(#old, #dead)
