-- history: the failed executions that a job's hash tells of: the first, then a ring of the newest nine. Counted in a field
-- of its own, which no redrive touches: what is told of earlier lives stays until newer ones take its place.
local RING = 9

local function keep_failure(key, failure)
  if failure == '' then return end
  local before = tonumber(string.match(redis.call('HGET', key, 'p:failures') or '', '^%d+$') or 0)
  local place = before == 0 and 0 or 1 + (before - 1) % RING
  redis.call('HSET', key, 'p:failures', before + 1, 'p:failure:' .. place, failure)
end
