-- record: what the last bulk action moved, kept for UNDO seconds so that it can be undone.
local UNDO = 900

-- `entries`: score, id, …: as they stood in the registry of dead letters.
local function keep_record(undo, about, record, entries)
  redis.call('SET', undo, about, 'EX', UNDO)
  if #entries > 0 then redis.call('ZADD', record, unpack(entries)) end
  redis.call('EXPIRE', record, UNDO)
end
