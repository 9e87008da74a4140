-- unique: a lock is a field of `own .. 'unique'`, with the id of the job that took it last. It holds for as long as the
-- hash of that job says so: whoever ended or deleted the job, the lock is gone with it.
--@include in_hands
local LOCKS, LOOKS = own .. 'unique', 2
local WAITS = {queued = true, created = true, scheduled = true, deferred = true}

-- p:unique is scope and lock. The scope: 'queued', 'running', 'success', or the end of a window (epoch).
local function holds(id, lock, now)
  local job = redis.pcall('HMGET', rq .. 'job:' .. id, 'p:unique', 'status', 'origin', 'p:token')
  local scope, its_lock = string.match(job[1] or '', '^(%S+) (.+)$')
  if its_lock ~= lock then return false end
  local status, queue_name = job[2], job[3] or ''
  if tonumber(scope) then return status ~= 'canceled' and now < tonumber(scope) end
  if WAITS[status] then return true end
  if scope == 'queued' then return false end
  if status == 'started' or status == 'canceled' and is_in_hands(id, queue_name, job[4]) then return true end
  -- What was purged is no dead letter any more, though its hash stays for a while.
  return scope == 'success' and status == 'failed'
    and type(redis.pcall('ZSCORE', rq .. 'failed:' .. queue_name, id)) == 'string'
end

local function holder_of(lock, now)
  local id = redis.call('HGET', LOCKS, lock)
  return id and holds(id, lock, now) and id
end

-- Of new jobs those whose lock is free ('': it wants none); to the others the reply is the id of the job that holds it.
local function free_of(ids, places, replies, first, size, now)
  local taken, free, at = {}, {}, {}
  for i, id in ipairs(ids) do
    local lock = ARGV[places[i] + 4]
    local holder = lock ~= '' and (taken[lock] or holder_of(lock, now))
    if holder then replies[(places[i] - first) / size + 1] = holder
    else free[#free + 1], at[#at + 1] = id, places[i] end
    if lock ~= '' and not holder then taken[lock] = id end
  end
  return free, at, taken
end

-- For each lock that is taken two are looked at: those of jobs that have ended do not pile up.
local function take(taken, now)
  local entries = {}
  for lock, id in pairs(taken) do entries[#entries + 1], entries[#entries + 2] = lock, id end
  if #entries == 0 then return end
  redis.call('HSET', LOCKS, unpack(entries))
  for _, lock in ipairs(redis.call('HRANDFIELD', LOCKS, LOOKS * #entries / 2)) do
    if not holder_of(lock, now) and not taken[lock] then redis.call('HDEL', LOCKS, lock) end
  end
end
