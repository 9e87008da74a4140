-- declare: code declares a schedule. Of versions that are declared side by side the one counts that came last.
local schedule, ticks = unpack(KEYS)
local name, digest, definition, calendar, following, lives, now = unpack(ARGV, 1, 7)
-- following: its first tick, where the calendar is new · lives: seconds for which a declaration counts
-- returns: OK (it counts from now on), ALREADY (it did) or STALE (another version counts)
--@include clock
now = clock(now)

local known, living = {}, {}
local stored = redis.call('HGETALL', schedule)
local due = redis.call('ZSCORE', ticks, name)
for i = 1, #stored, 2 do
  local version = string.match(stored[i], '^declared:(.+)$')
  if not version then known[stored[i]] = stored[i + 1]
  elseif tonumber(stored[i + 1]) > now - lives then living[version] = true
  else redis.call('HDEL', schedule, stored[i]) end
end
redis.call('HSET', schedule, 'declared:' .. digest, now)
if known.digest == digest and not known.added then return 'ALREADY' end
-- Old processes say again and again what they have declared: only who is new, or alone, replaces another's.
if living[digest] and living[known.digest] then return 'STALE' end
redis.call('HSET', schedule, 'digest', digest, 'definition', definition, 'calendar', calendar)
redis.call('HDEL', schedule, 'added')
if not due or (known.calendar ~= calendar and not known.paused) then redis.call('ZADD', ticks, following, name) end
return 'OK'
