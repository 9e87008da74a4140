-- trim: keep finished jobs by number, too. None is forgotten that a client may still be asking for (it ended later than
-- `before`), nor one that runs again.
local function trim(finished, keep, before, most)
  if redis.call('ZCARD', finished) <= tonumber(keep) then return end
  for _, id in ipairs(redis.call('ZRANGE', finished, 0, most - 1)) do
    local job = redis.call('HMGET', rq .. 'job:' .. id, 'status', 'ended_at')
    if job[1] == 'finished' and job[2] > before then return end
    if job[1] == 'finished' then redis.call('UNLINK', rq .. 'job:' .. id, rq .. 'results:' .. id) end
    redis.call('ZREM', finished, id)
  end
end
