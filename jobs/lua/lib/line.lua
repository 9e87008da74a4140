-- line: jobs take their place at the end of their key's line. First all is asked that may refuse, then it is written.
local lines = {}

-- Is it the first, and so holds the key? One that stands in the line already keeps its place.
local function is_first(key, id)
  local line = lines[key]
  if not line then
    local name = own .. 'key:' .. key
    line = {head = redis.call('ZRANGE', name, 0, 0)[1], last = 0, new = {}}
    if line.head then line.last = tonumber(redis.call('ZRANGE', name, -1, -1, 'WITHSCORES')[2]) end
    lines[key] = line
  end
  line.head, line.last = line.head or id, line.last + 1
  line.new[#line.new + 1], line.new[#line.new + 2] = line.last, id
  return line.head == id
end

-- Those that were asked about; `now`: when the duty has looked at these keys, if nobody had.
local function line_up(now)
  for key, line in pairs(lines) do
    redis.call('ZADD', own .. 'keys', 'NX', now, key)
    redis.call('ZADD', own .. 'key:' .. key, 'NX', unpack(line.new))
  end
end
