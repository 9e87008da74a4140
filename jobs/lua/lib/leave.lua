-- leave: jobs leave their places in limits, and those that wait for one get it.
--@include limited
local leaving_places = {}

-- It leaves its places; they are free when `free_places` is called. `text`: its p:limits.
local function leave_places(id, text) leaving_places[id] = text or nil end

-- It keeps them: it goes back to the head of its queue as it came.
local function keep_places(id)
  local text = leaving_places[id]
  if text then redis.call('HSET', rq .. 'job:' .. id, 'p:limits', '+' .. text) end
  leaving_places[id] = nil
end

local function free_places(now, at)
  if next(leaving_places) == nil then return end
  local free, moved = {}, {}
  for id, text in pairs(leaving_places) do
    for limit in string.gmatch(string.gsub(text, '^+', ''), '[^\n]+') do
      if redis.pcall('ZREM', own .. 'limit:' .. limit, id) == 1 then
        if states[limit] then states[limit].used = states[limit].used - 1 end
        free[limit] = true
      end
    end
  end
  for limit in pairs(free) do wake(limit, clock(now), at, moved) end
  for queue_name, ids in pairs(moved) do tell('enqueued', queue_name, ids) end
end

-- Of one that no process has: it leaves them at once, and the line that it waits in.
local function leave_limits(id, limits, limited, now, at)
  if limited then redis.pcall('ZREM', own .. 'limited:' .. limited, id) end
  leave_places(id, limits)
  free_places(now, at)
  leave_places(id)
end
