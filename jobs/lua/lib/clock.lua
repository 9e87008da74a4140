-- clock: the server's time, in seconds, asked for once. A test passes its own.
local asked
local function clock(given)
  if given ~= '' then return tonumber(given) end
  local time = not asked and redis.call('TIME')
  asked = asked or time[1] + time[2] / 1000000
  return asked
end
