#!lua flags=allow-oom
-- follow: where the job that held a key was taken away behind our back, let the next one follow.
local busy = unpack(KEYS)
local rq, own, age, limit, now, at = unpack(ARGV, 1, 6)
-- age: seconds for which a look at a key holds good
-- returns: how many keys were looked at (call again while it is `limit`), then each that is stuck, and what refused it
--@include clock
--@include key
now = clock(now)

local keys, moved = redis.call('ZRANGEBYSCORE', busy, '-inf', now - age, 'LIMIT', 0, limit), {enqueued = {}, scheduled = {}}
local reply = {#keys}
for _, key in ipairs(keys) do
  redis.call('ZADD', busy, now, key)
  local refused = follow(key, at, moved)
  if refused then reply[#reply + 1], reply[#reply + 2] = key, refused end
end
tell_turns(moved)
return reply
