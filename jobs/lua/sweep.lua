#!lua flags=allow-oom
-- sweep: which worker processes' leases have ended?
local leases, swept = unpack(KEYS)
local lease, now = unpack(ARGV, 1, 2)
-- returns: their names
--@include clock
now = clock(now)

local last = tonumber(redis.call('GET', swept) or 0)
local long_ago = now - last > math.max(lease / 2, 3)
if long_ago then
  -- Nobody looked for a while: the server was away, or nobody was there. Whoever lives gets one lease's time to say so
  -- before anybody is judged.
  for _, process in ipairs(redis.call('ZRANGE', leases, 0, -1)) do
    redis.call('ZADD', leases, 'XX', 'GT', now + lease, process)
  end
end
-- Only now: had the loop failed, the next look would judge those who got no time.
redis.call('SET', swept, now)
if long_ago then return {} end
return redis.call('ZRANGEBYSCORE', leases, '-inf', now, 'LIMIT', 0, 100)
