#!lua flags=allow-oom
-- uproot: cancel the children of canceled jobs, so many in one go, and let theirs be next.
local doomed = unpack(KEYS)
local rq, own, limit, now, at = unpack(ARGV, 1, 5)
-- returns: how many children were looked at; call again while it is `limit`
--@include cancel

local count = 0
for _ = 1, limit do
  local parent = redis.call('SRANDMEMBER', doomed)
  if not parent or count == tonumber(limit) then break end
  -- Something foreign in the place of its children names none.
  local ids = redis.pcall('SRANDMEMBER', children_of(parent), limit - count)
  for _, id in ipairs(ids) do
    -- Those next: if one refuses, it is a child still, and the next call meets it again.
    if redis.call('EXISTS', children_of(id)) == 1 then redis.call('SADD', doomed, id) end
    if type(redis.pcall('HLEN', rq .. 'job:' .. id)) == 'number' then cancel_job(id, now, at) end
    redis.call('SREM', children_of(parent), id)
  end
  count = count + #ids
  if redis.call('EXISTS', children_of(parent)) == 0 or ids.err then redis.call('SREM', doomed, parent) end
end
return count
