#!lua flags=allow-oom
-- prune: keep the record of events within its age and its bytes, to a node of the stream or so.
local stream = unpack(KEYS)
local seconds, most, now = unpack(ARGV, 1, 3)
-- returns: how many bytes it had, once what is too old was gone
--@include clock

redis.call('XTRIM', stream, 'MINID', '~', string.format('%.0f', (clock(now) - seconds) * 1000))
local bytes = redis.call('MEMORY', 'USAGE', stream) or 0
if bytes > tonumber(most) then
  -- Entries differ in size: a tenth more, and the next round looks again.
  local length = redis.call('XLEN', stream)
  redis.call('XTRIM', stream, 'MAXLEN', '~', math.floor(0.9 * length * most / bytes))
end
return bytes
