-- redriven: when a job was redriven: p:redriven, the newest ten times, the last one last.
local TIMES = 10 * #'1970-01-01T00:00:00.000000Z ' - 1

local function last_redrive(times)
  return times and string.match(times, '(%S+)$')
end

local function add_redrive(times, at)
  return string.sub(times and times .. ' ' .. at or at, -TIMES)
end

local function drop_redrive(times)
  return string.match(times, '^(.+) %S+$')
end
