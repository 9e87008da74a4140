"""Failpoints in the scripts: every `redis.call` raises instead of being made, then the caller sends its call again.

A script is run up to its n-th meeting of one call and fails there, having done what stands before: for each row of
tests/lua that meets it. The same call is sent again, as outbox, consumer, producer and duties do, and the key space must
be that of the undisturbed row, but for the differences of HARMLESS.
"""

RAISES = """
local left = %d
local function taken_out(...)
  left = left - 1
  if left == 0 then error({err = 'FAILPOINT'}) end
  return redis.call(...)
end
"""
MOST = 8
"""The most meetings of one call in one row."""
