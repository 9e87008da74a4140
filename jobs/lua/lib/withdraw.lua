-- withdraw: take back what a worker process that is no more has announced.
local function withdraw(process)
  local worker = rq .. 'worker:' .. process
  for name in string.gmatch(redis.call('HGET', worker, 'p:queues') or '', '%S+') do
    redis.call('SREM', rq .. 'workers:' .. name, worker)
  end
  redis.call('SREM', rq .. 'workers', worker)
  redis.call('UNLINK', worker)
end
