-- trim: keep finished jobs by number, too; those go first whose time is over first. None is forgotten that a client may
-- still be asking for (it ended later than `before`), nor one that runs again.
local function trim(finished, keep, before, most)
  local surplus = math.min(redis.call('ZCARD', finished) - keep, most)
  if surplus <= 0 then return end
  for _, id in ipairs(redis.call('ZRANGE', finished, 0, surplus - 1)) do
    local job = redis.pcall('HMGET', rq .. 'job:' .. id, 'status', 'ended_at')
    if job[1] == 'finished' then
      if (job[2] or '') > before then return end
      redis.call('UNLINK', rq .. 'job:' .. id, rq .. 'results:' .. id)
    end
    redis.call('ZREM', finished, id)
  end
end
