-- tombstone: what is left of a deleted job until every client's retries are over: '<token> <nonce>',
-- or 'delete-<nonce of the call> <nonce>'.
local TOMBSTONE_TTL = 60

local function leave_tombstone(id, token)
  local nonce = redis.call('HGET', rq .. 'job:' .. id, 'p:nonce') or ''
  redis.call('SET', own .. 'gone:' .. id, token .. ' ' .. nonce, 'EX', TOMBSTONE_TTL)
end

-- The token and the nonce of a deleted job; nil where there is no tombstone, but nothing or something foreign.
local function tombstone(id)
  local text = redis.pcall('GET', own .. 'gone:' .. id)
  if type(text) ~= 'string' then return nil end
  return string.match(text, '^(%S*) (%S*)$')
end
