-- publish: one event for all jobs of a queue that made the same transition in this script.

-- On the record, which is kept only while somebody asks for it (listen.lua): one look for each script.
local MOST_EVENTS = 100000
local function tell(event, queue_name, ids, worker)
  if redis.call('EXISTS', own .. 'recording') == 0 then return end
  -- Whatever stands in the record's place, the jobs' life goes on. With a space between ids: JSON takes its time.
  redis.pcall('XADD', own .. 'record', 'MAXLEN', '~', MOST_EVENTS, '*', 'event', event, 'queue', queue_name,
    'ids', table.concat(ids, ' '), 'worker', worker or '')
end

-- And at once to those who wait for results.
local function publish(event, queue_name, ids, worker)
  if #ids == 0 then return end
  redis.call('PUBLISH', own .. 'events', cjson.encode({event = event, queue = queue_name, jobs = ids}))
  tell(event, queue_name, ids, worker)
end

-- A queue's name, for scripts that are given its key only.
local function name_of(queue) return string.sub(queue, #rq + #'queue:' + 1) end
