-- admit: which of the jobs that are to be claimed have a place in their limits, those of the queue among them.
--@include limited
local admitted, parked = {}, {}

-- Not to be claimed now: it waits for a place. `text`: its p:limits.
local function is_limited(id, text, queue_name, now)
  local of_queue = 'queue:' .. queue_name
  if not text and not state_of(of_queue) then return false end
  local limits = string.gsub(text or '', '^+', '')
  if string.sub(text or '', 1, 1) ~= '+' then
    limits = string.gsub('\n' .. limits, '\nqueue:[^\n]*', '') .. (state_of(of_queue) and '\n' .. of_queue or '')
    limits = string.gsub(limits, '^\n+', '')
    local limit = enter(id, limits, clock(now))
    if limit then
      parked[#parked + 1] = {id, limit, limits}
      return true
    end
  end
  admitted[#admitted + 1] = {id, limits}
  return false
end

-- Those that were asked about.
local function put_limited(queue_name, now)
  if not admitted[1] and not parked[1] then return end
  write_places(clock(now))
  for _, one in ipairs(admitted) do redis.call('HSET', rq .. 'job:' .. one[1], 'p:limits', one[2]) end
  for _, one in ipairs(parked) do park(one[1], one[2], one[3], queue_name, clock(now)) end
end
