#!lua flags=allow-oom
-- offer: declined jobs go back to their queue: those that have stood for long, and all when new code has come to it.
local declined, queue, came = unpack(KEYS)
local rq, own, limit, rarely, now, at = unpack(ARGV, 1, 6)
-- rarely: seconds that one stands (decline.lua)
-- returns: how many entries were due; call again while it is `limit`
--@include clock
--@include due

local news = redis.call('GET', came)
return move_due(declined, queue, math.max(clock(now) - rarely, tonumber(news or 0)), limit, at)
