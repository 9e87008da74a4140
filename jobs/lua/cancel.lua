#!lua flags=allow-oom
-- cancel: a job will not run, or not be accepted; and its children are to be canceled, too.
local doomed = unpack(KEYS)
local rq, own, id, children, now, at = unpack(ARGV, 1, 6)
-- children: '1', or '' where they go on
-- returns: the job's status before, or nil where there is no such job; and 1 where children wait for uproot.lua
--@include cancel

-- First: whoever is killed after this call leaves the rest to the duty.
local more = children == '1' and redis.call('EXISTS', children_of(id)) == 1
if more then redis.call('SADD', doomed, id) end
return {cancel_job(id, now, at), more and 1 or 0}
