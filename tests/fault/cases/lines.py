"""Failpoints in the scripts: every `redis.call` raises instead of being made, then the caller sends its call again.

A script fails at its n-th meeting of one call, having done what stands before, in each row of tests/lua that meets it.
The same call is sent again, as outbox, consumer, producer and duties do, and the key space must be that of the
undisturbed row, but for what `plain` takes away and what KNOWN names.
"""

import time
from collections.abc import Iterator, Mapping
from typing import Any

from postroom.jobs.scripts import SCRIPTS
from tests.fault.ground import Ground
from tests.fault.verdict import Verdict, some
from tests.lua.mutate import Mutant, mutants, mutated, sources
from tests.lua.rows import ROWS
from tests.lua.table import Lasting, Refused, Row, Table, ZSet
from tests.servers import Server

RAISES = """
local left = %d
local function taken_out(...)
  left = left - 1
  if left == 0 then error({err = 'FAILPOINT'}) end
  return redis.%s(...)
end
"""
MOST = 8
"""The most meetings of one call in one row."""
_TRIM = "what is too many is forgotten two jobs later"
_LEAK = "what should have expired, been deleted or left its group stays behind an ended job"
HARMLESS = {
    ("bury", "rq:results"): "a result stands twice in RQ's stream, the last counts",
    ("sweep", "postroom:swept"): "the time passed",
    ("bury", "postroom:gone"): _LEAK,
    ("bury", "rq:group"): _LEAK,
    ("bury", "rq:job"): _LEAK,
    ("bury", "rq:job:dependencies"): _LEAK,
    ("complete", "postroom:gone"): _LEAK,
    ("complete", "rq:group"): _LEAK,
    ("complete", "rq:job:dependencies"): _LEAK,
    ("complete", "rq:job:dependents"): _LEAK,
}
"""Differences that hurt no job, by script and kind of key."""
_REPLAY = "a replay answers with jobs that it did not finish taking: they may run twice, and stay on the list"
_ENDED = "the status is written first: a repetition is ALREADY, so that entry, result or Repeat is missing"
OPEN = {
    **{("claim", f"rq:{kind}"): _REPLAY for kind in ("job", "queue", "queues", "wip")},
    ("claim", "postroom:held"): "a job is dropped whose foreign key was put aside before the failure",
    ("claim", "postroom:leases"): _REPLAY,
    **{("complete", f"rq:{kind}"): _ENDED for kind in ("finished", "queue", "scheduled")},
    ("complete", "rq:job"): f"{_TRIM}; {_ENDED}",
    ("complete", "rq:results"): f"{_TRIM}; {_ENDED}",
    ("recover", "rq:job"): "a redelivery or a death is not counted",
}
"""Differences that are worse than harmless and not mended yet. Only a foreign key of a wrong type makes a script fail
midway in earnest; each line here should go.
"""
KNOWN = HARMLESS.keys() | OPEN.keys()


def lines(ground: Ground) -> Iterator[Verdict]:
    """Every call of every script, on a server of their own, which each row empties."""
    began, worse = time.monotonic(), dict[tuple[str, str], str]()
    texts, verdict = sources(), Verdict("lines", seed=ground.seed)
    with Server() as server:
        table = Table(server)
        undisturbed = {id(row): table.left_by(row, SCRIPTS[row.when.script])[1] for row in ROWS}
        for mutant in mutants(texts):
            found = list(broken(table, mutant, texts))
            verdict.exist += 1
            verdict.fired += bool(found)
            if not found:
                verdict.red.append(f"{mutant.path}:{mutant.line} did not fire")
            for row, left in found:
                for key in different(plain(undisturbed[id(row)]), plain(left)):
                    place = (row.when.script, kind_of(key))
                    worse.setdefault(place, f"{mutant.path}:{mutant.line}: {key} in {row.name!r}")
        table.close()
    verdict.red += some("lines leave what is worse", [f"{p} {why}" for p, why in worse.items() if p not in KNOWN])
    verdict.red += some(
        "known differences are gone: take them out", [str(place) for place in sorted(KNOWN - worse.keys())]
    )
    verdict.seconds = round(time.monotonic() - began, 1)
    yield verdict


def broken(table: Table, mutant: Mutant, texts: Mapping[str, str]) -> Iterator[tuple[Row, dict[str, Any]]]:
    """Each row that meets the call, and what stands when it failed there and the real call was made again."""
    how = "pcall" if mutant.code.startswith("redis.pcall") else "call"
    for meeting in range(1, MOST + 1):
        scripts, met = mutated(mutant, texts, RAISES % (meeting, how)), False
        for row in ROWS:
            name = row.when.script
            if name not in scripts:
                continue
            replies, left = table.left_by(row, scripts[name], SCRIPTS[name])
            if replies[0] == Refused("FAILPOINT"):
                met = True
                yield row, left
        if not met:
            return


def plain(space: Mapping[str, Any]) -> dict[str, Any]:
    """The space without what may differ: tokens are only compared with each other, and each claim takes a higher one;
    an id twice on a list is dropped by the claim; what was refused is kept for people; times pass.
    """
    token = str(space.get("postroom:token", ""))
    return {key: _plain(value, token) for key, value in space.items() if key != "postroom:token"}


def _plain(value: Any, token: str) -> Any:
    if isinstance(value, Lasting):
        return Lasting(value.seconds, _plain(value.value, token))
    if isinstance(value, ZSet):
        return {_text(member, token): round(score, -3) if score > 1e9 else score for member, score in value.items()}
    if isinstance(value, dict):
        return {_text(name, token): "TOKEN" if text == token else _text(text, token) for name, text in value.items()}
    if type(value) is list:
        return sorted(set(value))
    return value


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
