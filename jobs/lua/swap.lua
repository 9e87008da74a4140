#!lua flags=allow-oom
-- swap: set a field of a hash that still says what it did when it was looked at.
local hash, notices = unpack(KEYS)
local field, before, after = unpack(ARGV, 1, 3)
-- before: '' where there is no such field; after: never what it said before, lest a replay is taken for a new call
-- then what is to be told of it: id, notice, …
-- returns: OK, ALREADY (a replay) or STALE

local found = redis.call('HGET', hash, field) or ''
if found == after then return 'ALREADY' end
if found ~= before then return 'STALE' end
-- The notices first: where they cannot be entered, nothing has happened, and the next round makes them again.
if #ARGV > 3 then redis.call('HSET', notices, unpack(ARGV, 4)) end
redis.call('HSET', hash, field, after)
return 'OK'
