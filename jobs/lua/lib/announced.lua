-- announced: what the live workers of a queue have said of their code (announce.lua).

-- The digests of all but `process`. RQ's own workers say nothing; nor does what is foreign.
local function digests_of(workers, process)
  local found = {}
  for _, worker in ipairs(redis.call('SMEMBERS', workers)) do
    local digest = worker ~= rq .. 'worker:' .. process and redis.pcall('HGET', worker, 'p:tasks')
    if type(digest) == 'string' then found[digest] = true end
  end
  return found
end

-- Does one of them know a task of this name ('' for the version), or a message in this version or a newer one?
local function is_announced(workers, need, version)
  for digest in pairs(digests_of(workers, '')) do
    local tasks = own .. 'tasks:' .. digest
    if version == '' and redis.pcall('SISMEMBER', tasks, need) == 1 then return true end
    for _, one in ipairs(version ~= '' and redis.pcall('SMEMBERS', tasks) or {}) do
      local name, newest = string.match(one, '^(.*) (%d+)$')
      if name == need and tonumber(newest) >= tonumber(version) then return true end
    end
  end
  return false
end
