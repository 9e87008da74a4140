-- seek: a page of a sorted set, from where the last one ended. By score and member, not by rank: entries come and go
-- between two pages, the last one, too, and yet none that stays is left out or comes twice.

-- The server's own order of members. Lua's `<` would ask the locale.
local function is_before(a, b)
  for i = 1, math.min(#a, #b) do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then return x < y end
  end
  return #a < #b
end

-- How many entries are before (score, id), and whether this one is there.
local function rank(key, score, id)
  local low, high = redis.call('ZCOUNT', key, '-inf', '(' .. score), redis.call('ZCOUNT', key, '-inf', score)
  while low < high do
    local middle = math.floor((low + high) / 2)
    local found = redis.call('ZRANGE', key, middle, middle)[1]
    if found == id then return middle, true end
    if is_before(found, id) then low = middle + 1 else high = middle end
  end
  return low, false
end

-- Member, score, …: the `count` entries after (score, id) in this order.
local function entries(key, order, score, id, count)
  local start = 0
  if score ~= '' then
    local before, there = rank(key, score, id)
    start = order == 'oldest' and before + (there and 1 or 0) or redis.call('ZCARD', key) - before
  end
  return redis.call(order == 'oldest' and 'ZRANGE' or 'ZREVRANGE', key, start, start + count - 1, 'WITHSCORES')
end
