-- replay: what a claim answers with, the first time and again.
--@include clock
--@include runnable
-- With a deadline come the seconds that are left until then: a worker's clock may be wrong.
local function reply_with(reply, id, values)
  local deadline = tonumber(values[DEADLINE] or '')
  if deadline then values[DEADLINE] = string.format('%s %.6f', values[DEADLINE], deadline - clock(now)) end
  values[#FIELDS + 1], reply[#reply + 1] = id, values
end

-- What is held of the claim `token`.
local function replay(held, token)
  local reply, aside = {token}, {}
  for _, member in ipairs(redis.call('HKEYS', held)) do
    local id, its_token = string.match(member, '^([^@:]+):(.+)$')
    if its_token == token then reply_with(reply, id, values_of(id, aside)) end
  end
  put_aside(aside)
  return reply
end
