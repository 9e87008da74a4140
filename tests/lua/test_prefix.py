"""Every row again under another RQ_KEY_PREFIX: no script writes outside its namespace."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from postroom.jobs.keys import Keys
from tests.lua.rows import ROWS
from tests.lua.table import Call, Lasting, Row, Space, Table, Then


def respelt(text: str) -> str:
    """A key under the prefix `{tag}`."""
    if text.startswith("rq:"):
        return f"{{tag}}:{text.removeprefix('rq:')}"
    return f"postroom:{{tag}}:{text.removeprefix('postroom:')}" if text.startswith("postroom:") else text


def under_tag(row: Row) -> Row:
    """The row under the prefix `{tag}`."""
    args = {**row.when.args, "rq": "{tag}:", "own": "postroom:{tag}:"}
    return replace(
        row,
        given=_space(row.given),
        when=Call(row.when.script, args, row.when.jobs),
        then=_then(row.then),
        again=_then(row.again),
    )


def _then(then: Then) -> Then:
    return then if then.space is None else replace(then, space=_space(then.space))


def _space(space: Space) -> Mapping[str, Any]:
    return {respelt(key): _value(value) for key, value in space.items()}


def _value(value: Any) -> Any:
    if isinstance(value, Lasting):
        return Lasting(value.seconds, _value(value.value))
    return {respelt(member) for member in value} if isinstance(value, set) else value


@pytest.mark.parametrize("row", [under_tag(row) for row in ROWS], ids=lambda row: f"{row.when.script}: {row.name}")
def test_another_prefix(row: Row, table: Table) -> None:
    """Every key of every row, seeded and expected, is under the prefix."""
    assert {key.removeprefix("postroom:").split(":")[0] for key in row.given} <= {"{tag}"}
    table.check(row)


def test_python_spells_keys_as_the_tables_do() -> None:
    """Keys of both prefixes, by hand."""
    usual, tagged = Keys(), Keys("{tag}")
    assert (usual.queue("q"), usual.own(), usual.leases()) == ("rq:queue:q", "postroom:", "postroom:leases")
    assert (tagged.queue("q"), tagged.own()) == ("{tag}:queue:q", "postroom:{tag}:")
    for name in ("queues", "workers", "token", "leases", "swept", "paused", "events"):
        assert getattr(tagged, name)() == respelt(getattr(usual, name)())
    for name in ("job", "results", "wip", "finished", "failed", "scheduled", "deferred", "canceled", "held", "gone"):
        assert getattr(tagged, name)("x") == respelt(getattr(usual, name)("x"))
    for name in ("worker", "workers_of", "tasks", "dependencies"):
        assert getattr(tagged, name)("x") == respelt(getattr(usual, name)("x"))
    assert tagged.control("w1") == respelt(usual.control("w1")) == "postroom:{tag}:control:w1"
