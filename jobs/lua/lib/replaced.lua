-- replaced: the hash of a dead letter that an import replaced, kept so that it can be undone.
--@include record
local function aside(id, action) return own .. 'replaced:' .. action .. ':' .. id end

local function put_aside(id, action)
  redis.call('RENAME', rq .. 'job:' .. id, aside(id, action))
  redis.call('EXPIRE', aside(id, action), UNDO)
end

local function is_aside(id, action)
  return redis.call('EXISTS', aside(id, action)) == 1
end

local function bring_back(id, action)
  if not is_aside(id, action) then return false end
  redis.call('RENAME', aside(id, action), rq .. 'job:' .. id)
  return true
end
