"""Failpoints in the scripts: every `redis.call` raises instead of being made, then the caller sends its call again.

A script is run up to its n-th meeting of one call and fails there, having done what stands before: for each row of
tests/lua that meets it. The same call is sent again, as outbox, consumer, producer and duties do, and the key space must
be that of the undisturbed row, but for the differences of HARMLESS.
"""

import time
from collections.abc import Iterator, Mapping
from typing import Any

import redis

from postroom.jobs.scripts import SCRIPTS, Script
from tests.fault.ground import Ground
from tests.fault.verdict import Verdict
from tests.lua.mutate import Mutant, mutants, mutated, sources
from tests.lua.rows import ROWS
from tests.lua.table import ARGS, KEYS, Lasting, Row, Stream, Table, ZSet
from tests.servers import Server

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
