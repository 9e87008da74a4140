#!lua flags=no-writes
-- sift: one page of a queue's dead letters, those that match. Looks at `count` entries and takes at most `most`.
local failed = unpack(KEYS)
local rq, order, score, id, count, most, want, task, err, fingerprint, cause, after, before = unpack(ARGV, 1, 13)
-- order: 'newest' or 'oldest' first, by the time when they will be forgotten · score, id: the last entry of the page
--   before ('': from the start) · err: part of the reason, in lower case · after, before: it ended then, as RQ writes
--   it; one without a time counts as old · want: 'ids', 'rows' or 'groups'
-- returns: score and id of the last entry looked at ('' at the end); for each match its id and score (ids), and cause, task,
--   fingerprint, reason, ended_at, attempt (rows), or for each cause, task and fingerprint these, the number, the first and
--   last end, id and reason of the last (groups); as rows, those without a reason to look for `err` in: RQ packs it away
--@include seek
local ENDED, CAUSE, TASK, PRINT, REASON, ATTEMPT = 2, 3, 4, 5, 6, 7
local FIELDS = {'status', 'ended_at', 'p:cause', 'p:task', 'p:fingerprint', 'p:reason', 'p:attempt'}
-- What takes the time is the fields: no more are read than are asked for.
local last_field = (want == 'rows' or err ~= '') and ATTEMPT
  or (want == 'groups' or task .. fingerprint .. cause ~= '') and REASON or ENDED

-- The values of FIELDS where it is a dead letter that matches; what is missing is ''.
local function match(one)
  local job = redis.pcall('HMGET', rq .. 'job:' .. one, unpack(FIELDS, 1, last_field))
  if job.err or job[1] ~= 'failed' then return nil end
  for i = 1, last_field do job[i] = job[i] or '' end
  -- RQ's workers tell no task; RQ's producers begin the description with it.
  if job[TASK] == '' then
    job[TASK] = string.match(redis.call('HGET', rq .. 'job:' .. one, 'description') or '', '^([%w_.]+)%(') or ''
  end
  if after ~= '' and job[ENDED] < after or before ~= '' and job[ENDED] >= before then return nil end
  if task ~= '' and job[TASK] ~= task or cause ~= '' and job[CAUSE] ~= cause then return nil end
  if fingerprint ~= '' and job[PRINT] ~= fingerprint then return nil end
  if err ~= '' and job[REASON] ~= '' and not string.find(string.lower(job[REASON]), err, 1, true) then return nil end
  return job
end

local groups, rows, packed, taken = {}, {}, {}, 0
local function put(job, one, its_score)
  local to = err ~= '' and job[REASON] == '' and packed or rows
  if to == packed or want == 'rows' then
    to[#to + 1] = {one, its_score, job[CAUSE], job[TASK], job[PRINT], job[REASON], job[ENDED], job[ATTEMPT]}
  elseif want == 'ids' then rows[#rows + 1], rows[#rows + 2] = one, its_score end
  if to == packed or want ~= 'groups' then return end
  local key = table.concat(job, '\n', CAUSE, PRINT)
  local group = groups[key]
  if not group then
    group = {job[CAUSE], job[TASK], job[PRINT], 0, job[ENDED], '', one, job[REASON]}
    groups[key], rows[#rows + 1] = group, group
  end
  group[4] = group[4] + 1
  if job[ENDED] < group[5] then group[5] = job[ENDED] end
  if job[ENDED] >= group[6] then group[6], group[7], group[8] = job[ENDED], one, job[REASON] end
end

local page, last = entries(failed, order, score, id, count), -1
for i = 1, #page, 2 do
  local job = match(page[i])
  if job then put(job, page[i], page[i + 1]); taken = taken + 1 end
  last = i
  if taken == tonumber(most) then break end
end
if last + 1 < 2 * count and last + 1 == #page then return {'', '', rows, packed} end
return {page[last + 1], page[last], rows, packed}
