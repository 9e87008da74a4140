-- hands: take claims out of a process's hands and out of the running jobs. Their own entries only: a stale claim's
-- entry carries its old token, so that it never touches a later claim of the same job.
local function let_go(wip, held, members)
  redis.call('ZREM', wip, unpack(members))
  redis.call('HDEL', held, unpack(members))
end
