-- publish: one event for all jobs of a queue that made the same transition in this script.
local function publish(event, queue_name, ids)
  if #ids > 0 then
    redis.call('PUBLISH', own .. 'events', cjson.encode({event = event, queue = queue_name, jobs = ids}))
  end
end
