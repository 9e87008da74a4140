#!lua flags=allow-oom
-- listen: what stands in a stream of events after an entry; and for `ttl` seconds from now on the record is kept.
local stream, recording = unpack(KEYS)
local after, count, ttl, now = unpack(ARGV, 1, 4)
-- after: an entry's id; '': the last · ttl: 0 where the stream is kept whoever asks
-- returns: since when the record is kept without a break (an id; '' where ttl is 0), how many entries were ever added,
--   how many are there, the ids of the first and of the last ever, then `count` entries at most
--@include clock

local began, flat, about = '', {}, {}
if ttl ~= '0' then
  redis.call('SET', recording, string.format('%.0f-0', clock(now) * 1000 - 1), 'NX')
  redis.call('EXPIRE', recording, ttl)
  began = redis.call('GET', recording)
end
if redis.call('EXISTS', stream) == 1 then flat = redis.call('XINFO', 'STREAM', stream) end
for i = 1, #flat, 2 do about[flat[i]] = flat[i + 1] end
local reply = {began, about['entries-added'] or 0, about['length'] or 0, about['recorded-first-entry-id'] or '0-0',
  about['last-generated-id'] or '0-0'}
if after == '' then return reply end
for _, entry in ipairs(redis.call('XRANGE', stream, '(' .. after, '+', 'COUNT', count)) do reply[#reply + 1] = entry end
return reply
