-- lasting: how long a dead letter stays, with what RQ keeps beside its hash (seconds; nil: for ever).
local function last_for(id, seconds)
  local function keep(key)
    if seconds then redis.call('EXPIRE', key, seconds) else redis.call('PERSIST', key) end
  end
  local job = rq .. 'job:' .. id
  keep(job)
  local beside = {job .. ':dependents', rq .. 'job::' .. id .. ':dependencies', rq .. 'results:' .. id}
  -- One look: hardly any has something there.
  if redis.call('EXISTS', unpack(beside)) == 0 then return end
  for _, key in ipairs(beside) do keep(key) end
end

-- Until its entry in the registry is forgotten: at the time `score`, or never where that is -1. A minute at least: what
-- was brought back can be looked at.
local function last_until(score, id, now)
  if tonumber(score) < 0 then last_for(id) else last_for(id, math.max(60, math.floor(score - now))) end
end
