-- forget: remove a job with what RQ keeps beside its hash.
local function forget(id)
  local job = rq .. 'job:' .. id
  redis.call('UNLINK', job, job .. ':dependents', rq .. 'job::' .. id .. ':dependencies', rq .. 'results:' .. id)
end
