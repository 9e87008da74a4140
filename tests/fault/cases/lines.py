"""Failpoints in the scripts: every `redis.call` raises instead of being made, then the caller sends its call again.

A script fails at its n-th meeting of one call, having done what stands before, in each row of tests/lua that meets it.
The same call is sent again, as outbox, consumer, producer and duties do, and the key space must be that of the
undisturbed row, but for what `plain` takes away.

All calls are fired, but only what can fail in earnest is judged. A script runs whole or not at all, also where the
server crashes (the AOF has it in MULTI/EXEC). What the server refuses for its own state (a disk that fails, a replica)
it refuses at the first write, when nothing is done yet; for want of memory likewise, or never (`allow-oom`). That
leaves a key of a foreign type: WRONGTYPE, at the first command that needs the type. A key that has answered one, if
only by being empty, or was found missing, cannot fail later in the same run. So a meeting is in earnest where the
command needs a type (or a number: INCR) and its key has not answered yet.

A `redis.pcall` does not raise, its script goes on. What it then does must be a row of tests/lua, with a foreign key in
the place: one that fails in no row has not fired.
"""

import re
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

from postroom.jobs.scripts import SCRIPTS
from tests.fault.ground import Ground
from tests.fault.verdict import Verdict, some
from tests.lua.mutate import Mutant, mutants, mutated, sources
from tests.lua.rows import ROWS
from tests.lua.table import Lasting, Refused, Row, Table, ZSet
from tests.servers import Server

RAISES = """
local server, redis, answered, left = redis, {}, {}, %d
local UNTYPED = {TIME = 1, PUBLISH = 1, EXISTS = 1, UNLINK = 1, EXPIRE = 1, PERSIST = 1, SET = 1, RENAME = 1}
local BY_VALUE = {INCR = 1, HINCRBY = 1}
local function learn(reply, command, ...)
  if type(reply) == 'table' and reply.err then return reply end
  if command == 'EXISTS' and reply == 0 then
    for _, key in ipairs({...}) do answered[key] = true end
  elseif not UNTYPED[command] or command == 'RENAME' then
    answered[...] = true
  end
  return reply
end
function redis.call(...) return learn(server.call(...), ...) end
function redis.pcall(...) return learn(server.pcall(...), ...) end
local function taken_out(...)
  local command, key = ...
  left = left - 1
  if left > 0 then return redis.call(...) end
  local safe = UNTYPED[command] or (answered[key] and not BY_VALUE[command])
  error({err = safe and 'FAILPOINT' or 'EARNEST'})
end
"""
"""In the place of `redis.call`. Of RENAME the source is missing afterwards."""
FAILS = """
local left = %d
local function taken_out(...)
  local reply = redis.pcall(...)
  if type(reply) == 'table' and reply.err then left = left - 1 end
  if left == 0 then error({err = 'FAILPOINT'}) end
  return reply
end
"""
"""In the place of `redis.pcall`: the server fails it itself."""
_NUMBER = re.compile(r"\d+(\.\d+)?")
MOST = 8
"""The most meetings of one call in one row."""
NEAR = 5.0
"""Seconds between two times that are the same: of a call and its repetition."""


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """A time by the server's clock. A row seeds one that stands still, a script writes one that goes with the clock:
    two of them are the same if they are the same time, or as far from the clock when they were read.
    """

    at: float
    ahead: float

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Moment) and (abs(self.at - other.at) < NEAR or abs(self.ahead - other.ahead) < NEAR)

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True, slots=True)
class Broken:
    """A row that met the call: could it fail there in earnest, and what stands after the repetition?"""

    row: Row
    earnest: bool
    left: dict[str, Any]


def lines(ground: Ground) -> Iterator[Verdict]:
    """Every call of every script, on a server of their own, which each row empties."""
    began, verdict = time.monotonic(), Verdict("lines", seed=ground.seed)
    with Server() as server:
        table = Table(server)
        texts = sources()
        worse = differences(table, texts, mutants(texts), verdict)
        table.close()
    verdict.red += some("differences are left", [f"{place} {why}" for place, why in worse.items()])
    verdict.seconds = round(time.monotonic() - began, 1)
    yield verdict


def differences(
    table: Table, texts: Mapping[str, str], calls: Iterable[Mutant], verdict: Verdict
) -> dict[tuple[str, str], str]:
    """What is not as in the undisturbed row, by script and kind of key, with an example; `verdict` counts the calls."""
    worse: dict[tuple[str, str], str] = {}
    undisturbed = {id(row): plain(table.left_by(row, SCRIPTS[row.when.script])[1]) for row in ROWS}
    for mutant in calls:
        found = list(broken(table, mutant, texts))
        earnest = [one for one in found if one.earnest]
        verdict.exist += 1
        verdict.fired += bool(found)
        verdict.earnest += bool(earnest)
        if not found:
            verdict.red.append(f"{mutant.path}:{mutant.line} did not fire")
        for one in earnest:
            for key in different(undisturbed[id(one.row)], one.left):
                place = (one.row.when.script, kind_of(key))
                worse.setdefault(place, f"{mutant.path}:{mutant.line}: {key} in {one.row.name!r}")
    return worse


def broken(table: Table, mutant: Mutant, texts: Mapping[str, str]) -> Iterator[Broken]:
    """Each row that meets the call, and what stands when it failed there and the real call was made again."""
    raises = FAILS if mutant.code.startswith("redis.pcall") else RAISES
    for meeting in range(1, MOST + 1):
        scripts, met = mutated(mutant, texts, raises % meeting), False
        for row in ROWS:
            name = row.when.script
            if name not in scripts:
                continue
            replies, left = table.left_by(row, scripts[name], SCRIPTS[name])
            if replies[0] in (Refused("FAILPOINT"), Refused("EARNEST")):
                met = True
                yield Broken(row, replies[0] == Refused("EARNEST"), plain(left))
        if not met:
            return


def plain(space: Mapping[str, Any]) -> dict[str, Any]:
    """The space as it is now, without what may differ: tokens are only compared with each other, and each claim takes a
    higher one; an id twice on a list is dropped by the claim; what was refused is kept for people; times pass.
    """
    token = str(space.get("postroom:token", ""))
    return {key: _plain(value, token) for key, value in space.items() if key != "postroom:token"}


def _plain(value: Any, token: str) -> Any:
    if isinstance(value, Lasting):
        return Lasting(value.seconds, _plain(value.value, token))
    if isinstance(value, ZSet):
        return {_text(member, token): _time(score) for member, score in value.items()}
    if isinstance(value, dict):
        return {
            _text(name, token): "TOKEN" if text == token else _plain_text(text, token) for name, text in value.items()
        }
    if type(value) is list:
        return sorted(set(value))
    return _plain_text(value, "") if type(value) is str else value


def _plain_text(text: str, token: str) -> Any:
    return _time(float(text)) if _NUMBER.fullmatch(text) else _text(text, token)


def _time(number: float) -> Any:
    return Moment(number, number - time.time()) if 1e9 < number < inf else number


def _text(text: str, token: str) -> str:
    """`<id>:<token>` and `<request> <token>` without the last token."""
    for mark in ": ":
        if token and text.endswith(mark + token):
            return f"{text[: -len(token)]}TOKEN"
    return text


def different(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """The keys whose values differ."""
    return sorted(key for key in one.keys() | other.keys() if one.get(key) != other.get(key))


def kind_of(key: str) -> str:
    """`rq:job`, `rq:finished`, `rq:job:dependents`, `postroom:gone`, …"""
    parts = key.split(":")
    return ":".join((*parts[:2], *(parts[-1:] if parts[-1] in {"dependents", "dependencies"} else ())))
