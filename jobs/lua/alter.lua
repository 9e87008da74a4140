-- alter: what people do to a schedule: add, pause, resume or remove it.
local schedule, ticks = unpack(KEYS)
local verb, name, following, digest, definition, calendar = unpack(ARGV, 1, 6)
-- following: the next tick, of add and resume · digest, definition, calendar: of add
-- returns: OK, ALREADY (so it stands), MISSING (there is none), TAKEN (add: the name is another's)
local known = redis.call('HMGET', schedule, 'digest', 'paused', 'added')

if verb == 'add' then
  if known[1] then return known[3] and known[1] == digest and 'ALREADY' or 'TAKEN' end
  redis.call('ZADD', ticks, following, name)
  redis.call('HSET', schedule, 'digest', digest, 'definition', definition, 'calendar', calendar, 'added', 1)
  return 'OK'
end
if verb == 'remove' then
  redis.call('ZREM', ticks, name)
  redis.call('UNLINK', schedule)
  return 'OK'
end
if not known[1] then return 'MISSING' end
if (verb == 'pause') == (known[2] == '1') then return 'ALREADY' end
if verb == 'pause' then
  -- At the end of the timetable: it is never due.
  redis.call('ZADD', ticks, '+inf', name)
  redis.call('HSET', schedule, 'paused', 1)
else
  redis.call('ZADD', ticks, following, name)
  redis.call('HDEL', schedule, 'paused')
end
return 'OK'
