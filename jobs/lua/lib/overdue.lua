-- overdue: a job whose deadline has passed is not handed out. It ends as a canceled one, for RQ's readers and for whatever
-- happens to those, and is marked as expired.
-- Nothing here refuses, for that would keep a whole queue from being claimed.
--@include clock
--@include key
--@include kin
--@include leave
--@include publish
--@include runnable
local overdue, found = {}, {}

local function is_overdue(id, values, now)
  local deadline = tonumber(values[DEADLINE])
  -- A dead letter that is on the list again begins anew.
  if values[REASON] or not deadline or deadline > clock(now) then return false end
  if not found[id] then overdue[#overdue + 1], found[id] = id, true end
  return true
end

-- Those that were asked about and are.
local function expire_overdue(queue_name, at)
  if #overdue == 0 then return end
  local leaving, time = {}, clock(now)
  for _, id in ipairs(overdue) do
    local job = rq .. 'job:' .. id
    redis.pcall('ZADD', rq .. 'canceled:' .. queue_name, time, id)
    redis.pcall('ZADD', own .. 'expired:' .. queue_name, time, id)
    redis.call('HSET', job, 'status', 'canceled', 'p:expired', at, 'ended_at', at, 'origin', queue_name)
    local key, parent, limits = unpack(redis.call('HMGET', job, 'p:key', 'p:parent', 'p:limits'))
    leave_places(id, limits)
    leave_parent(parent, id)
    if key then leaving[#leaving + 1], leaving[#leaving + 2] = key, id end
  end
  publish('expired', queue_name, overdue, process)
  pass_on(leaving, at)
  free_places(now, at)
end
