-- burials: the record of what became a dead letter: an entry for each task, so that the task is known even of a job whose
-- hash is gone by the time somebody reads.
local ENTRIES, CUT = 10000, 200

local tasks, ids_of = {}, {}

-- `first`, `last`: where its fields stand in ARGV. A task's name may be anything: it is cut.
local function note_burial(id, first, last)
  local task = ''
  for i = first, last, 2 do
    if ARGV[i] == 'p:task' then task = string.sub(ARGV[i + 1], 1, CUT) end
  end
  if not ids_of[task] then ids_of[task], tasks[#tasks + 1] = {}, task end
  table.insert(ids_of[task], id)
end

local function record_burials(queue_name)
  for _, task in ipairs(tasks) do
    local entry = {'queue', queue_name, 'task', task, 'jobs', cjson.encode(ids_of[task])}
    redis.call('XADD', own .. 'dead', 'MAXLEN', '~', ENTRIES, '*', unpack(entry))
  end
end
