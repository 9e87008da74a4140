#!lua flags=allow-oom
-- progress: how far a job is, as the handler says that runs it.
local job = unpack(KEYS)
local own, id, token, queue_name, process, told = unpack(ARGV, 1, 6)
-- returns: 1, or 0 where it says so already, or this is a late word: the job is under another claim, or gone
--@include publish

local known = redis.pcall('HMGET', job, 'status', 'p:token', 'p:progress')
if known.err or known[2] ~= token or known[3] == told then return 0 end
redis.call('HSET', job, 'p:progress', told)
-- Its last word may come when it has ended.
if known[1] == 'started' then tell('progress', queue_name, {id}, process) end
return 1
