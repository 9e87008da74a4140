-- expire: how long an ended job stays (seconds; 0: not at all, -1: for ever).
--@include tombstone
local function expire(id, token, ttl)
  -- Gone before a client's retries are over: they must still be told.
  if ttl >= 0 and ttl < TOMBSTONE_TTL then leave_tombstone(id, token) end
  if ttl == 0 then redis.call('UNLINK', rq .. 'job:' .. id) end
  if ttl > 0 then redis.call('EXPIRE', rq .. 'job:' .. id, ttl) end
end
