-- lasting: how long a dead letter stays, with what RQ keeps beside its hash (seconds; nil: for ever).
local function last_for(id, seconds)
  local job = rq .. 'job:' .. id
  for _, key in ipairs({job, job .. ':dependents', rq .. 'job::' .. id .. ':dependencies', rq .. 'results:' .. id}) do
    if seconds then redis.call('EXPIRE', key, seconds) else redis.call('PERSIST', key) end
  end
end

-- Until its entry in the registry is forgotten: at the time `score`, or never where that is -1.
local function last_until(score, id, now)
  if tonumber(score) < 0 then last_for(id) else last_for(id, math.max(1, math.floor(score - now))) end
end
