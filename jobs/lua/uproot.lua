#!lua flags=allow-oom
-- uproot: cancel the children of canceled jobs, so many in one go, and let theirs be next.
local doomed = unpack(KEYS)
local rq, own, limit, now, at = unpack(ARGV, 1, 5)
-- returns: how many jobs have children that are to be canceled still; call again until there are none
--@include cancel

local left = tonumber(limit)
for _ = 1, limit do
  local parent = left > 0 and redis.call('SRANDMEMBER', doomed)
  if not parent then break end
  -- Something foreign in the place of its children names none.
  local ids = redis.pcall('SRANDMEMBER', children_of(parent), left)
  for _, id in ipairs(ids) do
    -- Those next: if one refuses, it is a child still, and the next call meets it again.
    if redis.call('EXISTS', children_of(id)) == 1 then redis.call('SADD', doomed, id) end
    if type(redis.pcall('HLEN', rq .. 'job:' .. id)) == 'number' then cancel_job(id, now, at) end
    redis.call('SREM', children_of(parent), id)
  end
  if #ids < left then redis.call('SREM', doomed, parent) end
  left = left - #ids
end
return redis.call('SCARD', doomed)
