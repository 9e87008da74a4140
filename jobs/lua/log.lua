#!lua flags=allow-oom
-- log: what a handler logs, kept in its job's hash so that it ends with the job: the newest lines.
local job = unpack(KEYS)
local own, id, token, first, count, text = unpack(ARGV, 1, 6)
-- text: `count` lines, each with its end · first: how many this execution logged before them
-- Some of them may be there: a reply was lost, or a sending was overtaken by the one with which the job settles.
-- returns: 1, or 0 where all are there, or this is a late word: the job is under another claim, or gone
local MOST_LINES, MOST_BYTES = 1000, 65536

local known = redis.pcall('HMGET', job, 'p:token', 'p:log', 'p:logged')
if known.err or known[1] ~= token then return 0 end
local total, whose, said = string.match(known[3] or '', '^(%d+) (%d+) (%d+)$')
total, said = tonumber(total or 0), whose == token and tonumber(said) or 0
local last, from = first + count, 1
if last <= said then return 0 end
for _ = first + 1, said do from = string.find(text, '\n', from, true) + 1 end
-- What is missing in between was too much for the worker to keep: then these are the newest lines by themselves.
local before = said < tonumber(first) and '' or known[2] or ''
text, from = before .. string.sub(text, from), 1
if #text > MOST_BYTES then from = string.find(text, '\n', #text - MOST_BYTES, true) + 1 end
local ends, at = {}, string.find(text, '\n', from, true)
while at do ends[#ends + 1], at = at, string.find(text, '\n', at + 1, true) end
if #ends > MOST_LINES then from = ends[#ends - MOST_LINES] + 1 end
redis.call('HSET', job, 'p:log', string.sub(text, from), 'p:logged', table.concat({total + last - said, token, last}, ' '))
redis.call('PUBLISH', own .. 'log:' .. id, last)
return 1
