"""The schema of what is sent on: of both versions, or none."""

from typing import Any

import pytest

from postroom.jobs.errors import EncodeError
from postroom.jobs.forwarded import forwarded


def call(*types: Any) -> Any:
    fields = [{"name": f"f{at}", "type": kind} for at, kind in enumerate(types)]
    task = {"name": "task", "type": "string"}
    return {"type": "record", "name": "postroom.Call", "fields": [task, *fields]}


def record(name: str, **fields: Any) -> Any:
    return {"type": "record", "name": name, "fields": [{"name": key, "type": kind} for key, kind in fields.items()]}


ABSENT = record("postroom.Absent")


def both(own: Any, theirs: Any, *, exact: bool = False, same_task: bool = True) -> Any:
    return forwarded(own, theirs, same_task=same_task, exact=exact).schema["fields"][1:]


def test_the_writers_own_is_what_it_was() -> None:
    theirs = call(record("A", x="long", y=["null", "string"]), "A", {"type": "array", "items": "A"})
    assert both(call(record("A", x="long")), theirs, exact=True) == theirs["fields"][1:]


def test_with_room_for_both_what_one_does_not_know_may_be_absent() -> None:
    own = call(record("A", x="long", z=[ABSENT, "bytes"]))
    theirs = call(record("A", x=["null", "string"], y={"type": "map", "values": "long"}))
    (field,) = both(own, theirs)
    assert [(one["name"], one["type"]) for one in field["type"]["fields"]] == [
        ("x", ["null", "string", "long"]),
        ("y", [ABSENT, {"type": "map", "values": "long"}]),
        ("z", ["postroom.Absent", "bytes"]),
    ]


def test_of_another_task_it_takes_the_records_and_not_the_call() -> None:
    theirs = call("double", record("A", x="long", y="long"))
    (field,) = both(call(record("A", x="long")), theirs, exact=True, same_task=False)
    assert [one["name"] for one in field["type"]["fields"]] == ["x", "y"]


def test_what_is_in_lists_and_maps_has_room_for_both() -> None:
    own = call({"type": "array", "items": "long"}, {"type": "map", "values": "string"})
    theirs = call({"type": "array", "items": "string"}, {"type": "map", "values": ["null", "string"]})
    assert [one["type"] for one in both(own, theirs)] == [
        {"type": "array", "items": ["string", "long"]},
        {"type": "map", "values": ["null", "string"]},
    ]


@pytest.mark.parametrize(
    ("own", "theirs", "told"),
    [
        (call("string"), call("int"), "no use for 'int'"),
        (call("string"), call({"type": "enum", "name": "E", "symbols": ["a"]}), "no use for 'enum'"),
        (call(record("A", b=record("B"))), call(record("B", a=record("A"))), "holds itself"),
    ],
)
def test_there_is_none(own: Any, theirs: Any, told: str) -> None:
    with pytest.raises(EncodeError, match=told):
        both(own, theirs)


def test_a_type_may_be_described_in_another_way() -> None:
    assert both(call("string"), call({"type": {"type": "string"}}), exact=True)[0]["type"] == "string"
