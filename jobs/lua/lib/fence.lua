-- fence: may this process settle this claim? OK, ALREADY (it did: a replay) or STALE (the claim is no longer its own).
-- And the key of its job, where the job leaves these hands by that: it is settled now, or was canceled in them; and, where it
-- is settled, its parent. Its places in limits are left by that, too.
--@include leave
--@include tombstone
local function fence(id, token, process)
  local job = redis.pcall('HMGET', rq .. 'job:' .. id, 'status', 'p:token', 'worker_name', 'p:key', 'p:parent', 'p:limits')
  if job.err then return 'STALE' end
  if job[2] == token then
    local ours, canceled = job[1] == 'started' and job[3] == process, job[1] == 'canceled'
    -- ALREADY, too, where the first call failed on its way; but not the place that it has got since.
    if string.sub(job[6] or '', 1, 1) ~= '+' then leave_places(id, job[6]) end
    if ours then return 'OK', job[4], job[5] end
    if canceled then return 'STALE', job[4] end
    if job[1] ~= 'started' then return 'ALREADY' end
  elseif not job[1] and tombstone(id) == token then
    return 'ALREADY'
  end
  return 'STALE'
end
