"""`postroom check` of messages with versions: three releases of one app, each a module of its own process."""

import json
from typing import Any

import pytest

from tests.integration.programs import Program

RELEASE = """
from dataclasses import dataclass
from postroom import Postroom, message, upcast
app = Postroom()

{steps}
@message("order.placed", version={version}, min_reader={min_reader}{more})
@dataclass
class Order:
{fields}

@app.task(name="ship")
def ship(order: Order, others: list[Order] = []) -> None: ...
"""


def release(program: Program, version: int, fields: str, steps: str = "", min_reader: int = 1, more: str = "") -> None:
    lines = "\n".join(f"    {field}" for field in fields.split("; "))
    program.write(
        "shop.py", RELEASE.format(version=version, fields=lines, steps=steps, min_reader=min_reader, more=more)
    )


def check(program: Program, *arguments: str) -> tuple[int, dict[str, Any]]:
    said = program.run("-m", "postroom", "check", "shop:app", "--json", *arguments)
    assert said.returncode in {0, 1}, said.stderr
    return said.returncode, json.loads(said.stdout)


def broken(found: dict[str, Any]) -> list[tuple[str, str, list[int]]]:
    return [(one["name"], told["path"], told["versions"]) for one in found["contracts"] for told in one["breaks"]]


def test_a_message_has_versions_of_its_own_and_its_tasks_do_not(program: Program) -> None:
    release(program, 1, "id: int; total: int")
    assert check(program, "--update")[0] == 0
    release(program, 2, "id: int; total: int; note: str = ''")
    code, found = check(program, "--update")
    assert (code, [(one["name"], one["status"]) for one in found["contracts"]]) == (
        0,
        [("order.placed", "changed"), ("ship", "locked")],
    )
    release(program, 3, "id: int; amount: int; note: str = ''")
    code, found = check(program)
    assert (code, {name for name, _, _ in broken(found)}) == (1, {"order.placed"})
    release(program, 3, "id: int; amount: int; note: str = ''", min_reader=3, more=", aliases={'total': 'amount'}")
    assert check(program, "--update")[0] == 0


@pytest.mark.parametrize(("step", "read"), [("{**old, 'x': 1}", True), ("{**old, 'x': 'one'}", False)])
def test_an_upcast_is_proven_by_the_documents_that_it_is_for(program: Program, step: str, read: bool) -> None:
    release(program, 1, "id: int")
    check(program, "--update")
    steps = f"@upcast('order.placed', 1, 2)\ndef up(old): return {step}\n"
    release(program, 2, "id: int; x: int", steps)
    _, found = check(program)
    assert (broken(found) == []) is read


def test_a_changed_class_wants_a_new_version(program: Program) -> None:
    release(program, 1, "id: int")
    check(program, "--update")
    release(program, 1, "id: int; x: int = 0")
    code, found = check(program)
    assert (code, broken(found)) == (1, [("order.placed", "$", [])])


def test_the_gate_brings_old_messages_up_and_tells_of_newer_ones(program: Program) -> None:
    send = "import shop; shop.ship.enqueue(shop.Order(1, {}))"
    release(program, 1, "id: int; total: int", min_reader=1)
    assert program.run("-c", send.format("2")).returncode == 0
    steps = "@upcast('order.placed', 1, 2)\ndef up(old): return {'id': old['id'], 'text': str(old['total'])}\n"
    release(program, 2, "id: int; text: str", steps, min_reader=2)
    code, found = check(program, "--against", program.url)
    assert (code, found["looked"], found["problems"]) == (0, 1, [])
    assert program.run("-c", send.format("'two'")).returncode == 0
    release(program, 1, "id: int; total: int")
    code, found = check(program, "--against", program.url)
    assert (code, [(one["task"], one["count"]) for one in found["problems"]]) == (1, [("ship", 1)])
    assert "version 2" in found["problems"][0]["problem"]
