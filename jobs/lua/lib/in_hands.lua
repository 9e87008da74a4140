-- in_hands: a canceled job keeps its key and its lock until its worker has let go of it: two must not run at once.
local function is_in_hands(id, queue_name, token)
  return token and type(redis.pcall('ZSCORE', rq .. 'wip:' .. queue_name, id .. ':' .. token)) == 'string'
end
