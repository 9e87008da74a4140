-- place: new ids go where they belong: 'back' or 'front' of a queue, or 'scheduled'.

-- When those are due that are scheduled.
local function due_at(due, delay, now) return due ~= '' and tonumber(due) or clock(now) + tonumber(delay) end

local function place(ids, where, queue, scheduled, due)
  if #ids == 0 then return end
  if where == 'scheduled' then
    local entries = {}; for i, id in ipairs(ids) do entries[2 * i - 1], entries[2 * i] = due, id end
    redis.call('ZADD', scheduled, unpack(entries))
  elseif where == 'front' then
    local reversed = {}; for i, id in ipairs(ids) do reversed[#ids + 1 - i] = id end
    redis.call('LPUSH', queue, unpack(reversed))
  else
    redis.call('RPUSH', queue, unpack(ids))
  end
end
