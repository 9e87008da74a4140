-- limit: rates and concurrency. The lines of p:limits are a job's limits: each the name of a rule, and after a tab whose
-- places they are, where not all jobs of the rule share them. A '+' before the first: it has a place in each.
-- For whom there is no place is deferred, in a line for each limit; when a place is free, the first of the line gets it.
-- Nothing here refuses, for that would keep a whole batch from being claimed or settled: a limit of which something foreign
-- stands in the place of a key keeps nobody.
--@include clock
--@include publish
local WAKE = 100
local states = {}

-- `full`: the theoretical arrival time of the generic cell rate algorithm (ITU-T I.371), which each job moves by an interval.
local function state_of(limit)
  if states[limit] ~= nil then return states[limit] end
  local said = redis.pcall('HGET', own .. 'limits', (string.match(limit, '^[^\t]*')))
  local most, every, burst = string.match(type(said) == 'string' and said or '', '^(%d+) (%S+) (%d+)$')
  local used = most and redis.pcall('ZCARD', own .. 'limit:' .. limit)
  local full = most and redis.pcall('GET', own .. 'rate:' .. limit)
  local line = most and redis.pcall('ZCARD', own .. 'limited:' .. limit)
  local sound = type(used) == 'number' and type(line) == 'number' and type(full) ~= 'table'
  states[limit] = sound and {most = tonumber(most), every = tonumber(every), burst = tonumber(burst), used = used,
    full = tonumber(full) or 0, line = line, new = {}}
  return states[limit]
end

-- When the next one may begin, by the rate.
local function next_of(state) return state.full - state.every * (state.burst - 1) end

local function has_room(state, now)
  return (state.every == 0 or now >= next_of(state)) and (state.most == 0 or state.used < state.most)
end

-- The limit that keeps it; nil where it has got a place in each. Who is the first in the line of `first` overtakes nobody.
local function enter(id, text, now, first)
  local places = {}
  for limit in string.gmatch(text, '[^\n]+') do
    local state = state_of(limit)
    if state and (not has_room(state, now) or state.line > 0 and limit ~= first) then return limit end
    places[#places + 1] = state or nil
  end
  for _, state in ipairs(places) do
    state.used, state.full = state.used + 1, math.max(now, state.full) + state.every
    state.new[#state.new + 1], state.new[#state.new + 2] = now, id
  end
end

-- The places that were got since.
local function write_places(now)
  for limit, state in pairs(states) do
    local new = state and state.new or {}
    if #new > 0 then
      if state.most > 0 then redis.call('ZADD', own .. 'limit:' .. limit, unpack(new)) end
      if state.every > 0 then
        local lasts = math.ceil((state.full - now + state.every * state.burst) * 1000)
        redis.call('SET', own .. 'rate:' .. limit, string.format('%.6f', state.full), 'PX', lasts)
      end
      redis.pcall('ZADD', own .. 'limits:busy', 'NX', now, limit)
      state.new = {}
    end
  end
end
