-- kin: what a handler enqueues are the children of its job: they have its deadline, or an earlier one, and are canceled with
-- it. A child that has not ended stands in a set of its parent's, which is gone where there is none.
--@include clock
-- Seconds that the set outlives its last addition: of children that RQ's tools took away nobody says that they have ended.
local KIN_TTL = 2592000

local function children_of(id) return own .. 'children:' .. id end

local function is_orphan(parent)
  return parent ~= '' and redis.pcall('HGET', rq .. 'job:' .. parent, 'status') == 'canceled'
end

-- The reply for a batch whose parent was canceled: those that were written before (0) are told so still.
local function refuse(replies)
  for i, reply in ipairs(replies) do if reply == 1 then replies[i] = -2 end end
  return replies
end

-- deadline: the parent's, or an absolute one · within: seconds from now on. The earlier one counts. Fields of the hash, or nil.
local function kin_fields(parent, deadline, within, now)
  if parent == '' and deadline == '' and within == '' then return nil end
  local fields, ends = {}, tonumber(deadline)
  if within ~= '' then ends = math.min(clock(now) + within, ends or math.huge) end
  if ends then fields[1], fields[2] = 'p:deadline', string.format('%.6f', ends) end
  if parent ~= '' then fields[#fields + 1], fields[#fields + 2] = 'p:parent', parent end
  return fields
end

local function adopt(parent, ids)
  if parent == '' then return end
  redis.call('SADD', children_of(parent), unpack(ids))
  redis.call('EXPIRE', children_of(parent), KIN_TTL)
end

-- It has ended. `parent`: of its hash.
local function leave_parent(parent, id)
  if parent then redis.pcall('SREM', children_of(parent), id) end
end
