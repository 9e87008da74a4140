-- known: which jobs of a batch are new. An id that is known is not written again.
--@include tombstone
local function known(id, nonce)
  if redis.call('EXISTS', rq .. 'job:' .. id, own .. 'gone:' .. id) == 0 then return 1 end
  if nonce == '' then return 0 end
  local stored = redis.pcall('HGET', rq .. 'job:' .. id, 'p:nonce')
  if stored == nonce then return 0 end
  if redis.call('EXISTS', rq .. 'job:' .. id) == 1 then return -1 end
  local _, deleted = tombstone(id)
  return deleted == nonce and 0 or 1
end

-- `first`, `size`: where the jobs stand in ARGV, each with its id and nonce first. The reply for each; ids of the new ones,
-- and where they stand. One look for a whole batch: hardly any was sent before.
local function new_jobs(first, size)
  local keys, replies, ids, places, new = {}, {}, {}, {}, {}
  for at = first, #ARGV, size do
    keys[#keys + 1], keys[#keys + 2] = rq .. 'job:' .. ARGV[at], own .. 'gone:' .. ARGV[at]
  end
  local all_new = redis.call('EXISTS', unpack(keys)) == 0
  for at = first, #ARGV, size do
    local id = ARGV[at]
    local reply = new[id] and -1 or all_new and 1 or known(id, ARGV[at + 1])
    if reply == 1 then
      new[id] = true
      ids[#ids + 1], places[#ids + 1] = id, at
    end
    replies[#replies + 1] = reply
  end
  return replies, ids, places
end
