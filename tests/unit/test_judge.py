"""An app's contracts held against the lock: modes, upcasts, samples, names that must not come back."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any

import msgspec
import pytest

from postroom.contracts.breaks import Kind, Whom
from postroom.contracts.judge import Judgement, Status, Wishes, judge, updated
from postroom.contracts.lock import Lock
from postroom.contracts.modes import Mode
from postroom.contracts.schema import inlined
from postroom.jobs.errors import ConfigError

NAME = "order.placed"


class V1(msgspec.Struct):
    id: int


class V2(msgspec.Struct):
    id: int
    x: int = 0


class V3(msgspec.Struct):
    id: int
    x: int


class Text(msgspec.Struct):
    id: int
    x: str = ""


class Inner(msgspec.Struct):
    a: int


class Nested(msgspec.Struct):
    inner: Inner
    items: list[Inner] = []


@dataclass
class Message:
    """A message class with its version, and steps on documents."""

    of: Any
    version: int | None
    steps: dict[int, Callable[[Any], Any]] = field(default_factory=dict)
    min_reader: int = 1
    name: str = NAME
    kind: str = "message"
    forgetful: bool = False
    reserved: tuple[str, ...] = ()
    down: Callable[[Any], Any] = field(default=dict)

    @property
    def schema(self) -> Any:
        found = inlined(msgspec.json.schema(self.of))
        return {**found, "x-reserved": list(self.reserved)} if self.reserved else found

    def decode(self, document: Any) -> Any:
        return msgspec.convert(document, self.of)

    def reads(self, version: int) -> bool:
        return version in self.steps

    def upcast(self, document: Any, version: int) -> Any:
        return self.steps[version](document) if version in self.steps else document

    def republish(self, document: Any) -> Any:
        return msgspec.to_builtins(self.decode(document)) if self.forgetful else document

    def returned(self, document: Any) -> Any:
        return self.down(document)


def locked(*messages: Message, mode: Mode = Mode.FULL_TRANSITIVE) -> Lock:
    """The lock after each of these was checked under NONE and added."""
    lock = Lock()
    for message in messages:
        lock = updated(lock, judge([message], lock, Wishes({"": Mode.NONE})))
    (entry,) = lock.entries.values()
    return Lock({("message", NAME): msgspec.structs.replace(entry, mode=mode)})


def verdict(message: Message, lock: Lock, **wishes: Any) -> Judgement:
    (found,) = judge([message], lock, Wishes(**wishes))
    return found


def told(found: Judgement) -> set[tuple[Kind, str, Whom | None, tuple[int, ...]]]:
    return {(one.kind, one.path, one.whom, one.versions) for one in found.breaks}


def test_the_first_version_is_new_and_then_locked() -> None:
    found = verdict(Message(V1, 1), Lock())
    assert (found.status, found.mode) == (Status.NEW, Mode.FULL_TRANSITIVE)
    lock = updated(Lock(), [found])
    assert lock.entries["message", NAME].versions[0].sample == {"id": 1}
    again = verdict(Message(V1, 1), lock)
    assert (again.status, again.added) == (Status.LOCKED, None)


def test_an_allowed_version_is_added_behind_the_others() -> None:
    lock = locked(Message(V1, 1))
    found = verdict(Message(V2, 2), lock)
    assert found.status is Status.CHANGED
    versions = updated(lock, [found]).entries["message", NAME].versions
    assert versions[:1] == lock.entries["message", NAME].versions
    assert [version.version for version in versions] == [1, 2]


def test_a_breaking_version_is_not_added() -> None:
    lock = locked(Message(V1, 1))
    found = verdict(Message(V3, 2), lock)
    assert found.status is Status.BREAKING
    assert told(found) == {(Kind.MISSING, "$.x", Whom.NEW, (1, 2))}
    assert updated(lock, [found]) == lock


HISTORY = (Message(V1, 1), Message(V2, 2))
"""{id}, then with an x that has a default."""


@pytest.mark.parametrize(
    ("of", "mode", "broken"),
    [
        (V3, Mode.FULL_TRANSITIVE, {(2, 3)}),
        (V3, Mode.BACKWARD_TRANSITIVE, {(2, 3)}),
        (V3, Mode.FORWARD_TRANSITIVE, set()),
        (V3, Mode.NONE, set()),
        (Text, Mode.BACKWARD, {(2, 3)}),
        (Text, Mode.FORWARD, {(3, 2)}),
        (Text, Mode.FULL, {(2, 3), (3, 2)}),
        (V1, Mode.FULL_TRANSITIVE, set()),
    ],
)
def test_each_mode_asks_whom_it_names(of: Any, mode: Mode, broken: set[tuple[int, int]]) -> None:
    found = verdict(Message(of, 3), locked(*HISTORY, mode=mode))
    assert {one.versions for one in found.breaks} == broken


def test_what_the_version_before_allows_an_older_one_may_not() -> None:
    class Bare(msgspec.Struct):
        id: int

    history = (Message(Text, 1), Message(Bare, 2))
    assert verdict(Message(V2, 3), locked(*history, mode=Mode.FULL_TRANSITIVE)).status is Status.BREAKING
    pairwise = verdict(Message(V1, 3), locked(*history, mode=Mode.FULL))
    assert pairwise.status is Status.CHANGED


@pytest.mark.parametrize("mode", [mode for mode in Mode if mode is not Mode.NONE])
def test_a_name_that_was_taken_away_comes_back_as_what_it_was_or_not_at_all(mode: Mode) -> None:
    lock = locked(Message(Text, 1), Message(V1, 2), mode=mode)
    found = verdict(Message(V2, 3), lock)
    assert told(found) == {(Kind.RESERVED, "$.x", Whom.NEW, (1, 3))}
    assert verdict(Message(Text, 3), lock).status is Status.CHANGED


@pytest.mark.parametrize("mode", [mode for mode in Mode if mode is not Mode.NONE])
def test_a_reserved_name_comes_back_in_no_later_version(mode: Mode) -> None:
    lock = locked(Message(V1, 1, reserved=("x", "y")), Message(V1, 2), mode=mode)
    found = verdict(Message(V2, 3), lock)
    assert {(one.kind, one.path, one.change) for one in found.breaks} == {
        (Kind.RESERVED, "$.x", "version 1 reserves this name")
    }
    assert verdict(Message(V1, 3), lock).status is Status.CHANGED
    here = verdict(Message(V2, 1, reserved=("x",)), Lock())
    assert [one.change for one in here.breaks] == ["version 1 reserves this name"]


def test_what_producers_write_in_an_older_version_is_read_again() -> None:
    def lost(document: Any) -> Any:
        del document["id"]
        return document

    found = verdict(Message(V1, 1, down=lost), Lock())
    assert told(found) == {(Kind.SAMPLE, "$", Whom.NEW, ())}


def test_a_mode_that_is_asked_for_is_locked() -> None:
    lock = locked(*HISTORY)
    found = verdict(Message(V2, 2), lock, modes={NAME: Mode.BACKWARD})
    assert (found.status, found.mode) == (Status.LOCKED, Mode.BACKWARD)
    assert updated(lock, [found]).entries["message", NAME].mode is Mode.BACKWARD
    with pytest.raises(ConfigError, match=r"'order.paid'.*order.placed"):
        verdict(Message(V2, 2), lock, modes={"order.paid": Mode.NONE})


def test_an_upcast_mends_what_readers_of_old_messages_lack() -> None:
    lock = locked(*HISTORY)
    message = Message(V3, 3, {1: lambda old: {**old, "x": 7}, 2: lambda old: {"x": 7, **old}})
    assert verdict(message, lock).status is Status.CHANGED
    wrong = verdict(Message(V3, 3, {1: lambda old: {**old, "x": "seven"}, 2: lambda old: {"x": 7, **old}}), lock)
    assert (Kind.SAMPLE, "$", Whom.NEW, (1, 3)) in told(wrong)


def test_an_upcast_is_tried_without_the_fields_that_may_be_missing() -> None:
    """The golden sample of version 2 has an x; a message of version 2 may have none."""
    found = verdict(Message(V3, 3, {1: lambda old: {**old, "x": 7}, 2: lambda old: old}), locked(*HISTORY))
    assert (Kind.SAMPLE, "$", Whom.NEW, (2, 3)) in told(found)
    assert any("upcast" in one.change for one in found.breaks)


def test_readers_older_than_min_reader_are_not_given_it() -> None:
    lock = locked(Message(V3, 1))
    assert told(verdict(Message(V1, 2), lock)) == {(Kind.MISSING, "$.x", Whom.OLD, (2, 1))}
    assert verdict(Message(V1, 2, min_reader=2), lock).status is Status.CHANGED


def test_a_locked_version_is_never_another() -> None:
    lock = locked(Message(V1, 1))
    found = verdict(Message(V2, 1), lock)
    assert told(found) == {(Kind.VERSION, "$", None, ())}
    assert "declare version 2" in found.breaks[0].fix
    assert told(verdict(Message(V1, 1), locked(*HISTORY))) == {(Kind.VERSION, "$", None, ())}


def test_an_edited_lock_is_told_and_left() -> None:
    lock = locked(*HISTORY)
    (entry,) = lock.entries.values()
    first = msgspec.structs.replace(entry.versions[0], sample={"id": 2})
    edited = lock.but({("message", NAME): msgspec.structs.replace(entry, versions=(first, *entry.versions[1:]))})
    found = verdict(Message(V2, 2), edited)
    assert told(found) == {(Kind.CHANGED, "$", None, ())}
    assert told(*judge([], edited, Wishes(retire=[NAME]))) == {(Kind.CHANGED, "$", None, ())}
    assert updated(edited, [found]) == edited


def test_today_s_class_must_read_the_golden_sample_of_each_version() -> None:
    def picky(self: Any) -> None:
        if self.id == 1:
            raise ValueError("not that one")

    strict = msgspec.defstruct("Strict", [("id", int)], namespace={"__post_init__": picky})
    found = verdict(Message(strict, 1), locked(Message(V1, 1)))
    assert told(found) == {(Kind.SAMPLE, "$", Whom.NEW, ())}
    assert "not that one" in found.breaks[0].change
    later = verdict(Message(strict, 2), locked(Message(V1, 1)), samples={NAME: {"id": 2}})
    assert told(later) == {(Kind.SAMPLE, "$", Whom.NEW, (1, 2))}


def test_a_class_that_loses_what_it_does_not_know_is_told_where() -> None:
    found = verdict(Message(Nested, 1, forgetful=True), Lock())
    assert {one.path for one in found.breaks} == {"$.x_added_later", "$.inner.x_added_later", "$.items[].x_added_later"}
    assert verdict(Message(Nested, 1), Lock()).status is Status.NEW


def test_a_sample_of_ones_own_is_taken_where_it_is_read() -> None:
    found = verdict(Message(V1, 1), Lock(), samples={NAME: {"id": 42}})
    assert found.added
    assert found.added.versions[0].sample == {"id": 42}
    assert verdict(Message(V1, 1), Lock(), samples={NAME: {"id": "x"}}).status is Status.BREAKING


def test_what_is_gone_is_told_until_it_is_retired() -> None:
    lock = locked(Message(V1, 1))
    (found,) = judge([], lock, Wishes())
    assert told(found) == {(Kind.GONE, "$", Whom.NEW, ())}
    (found,) = judge([], lock, Wishes(retire=[NAME]))
    assert found.status is Status.RETIRED
    lock = updated(lock, [found])
    (found,) = judge([], lock, Wishes())
    assert (found.status, found.added) == (Status.RETIRED, None)
    back = verdict(Message(V1, 1), lock)
    assert back.added
    assert not back.added.retired
    with pytest.raises(ConfigError, match="still declared"):
        judge([Message(V1, 1)], lock, Wishes(retire=[NAME]))


def test_a_contract_without_a_version_is_counted_by_the_lock() -> None:
    lock = locked(Message(V1, None))
    assert verdict(Message(V1, None), lock).version == 1
    found = verdict(Message(V2, None), lock)
    assert (found.version, found.status) == (2, Status.CHANGED)


class Phone(msgspec.Struct):
    number: Annotated[str, msgspec.Meta(pattern="^[0-9]{3}-[0-9]{4}$")]


def test_where_no_sample_can_be_made_one_is_asked_for_by_name() -> None:
    with pytest.raises(ConfigError, match=r"message order.placed: .*--sample NAME=FILE"):
        verdict(Message(Phone, 1), Lock())
    mine = {NAME: {"number": "555-0100"}}
    lock = updated(Lock(), [verdict(Message(Phone, 1), Lock(), samples=mine)])
    later = Message(V1, 2, {1: lambda old: {"id": int(old["number"][:3])}}, min_reader=2)
    assert verdict(later, lock).status is Status.CHANGED


def test_a_task_is_told_what_can_be_done_for_a_task() -> None:
    def fix(kind: str) -> str:
        key = (kind, NAME)
        lock = Lock()
        for of in (V1, V3):
            found = judge([Message(of, None, kind=kind)], lock, Wishes())
            lock = updated(lock, found)
        (one,) = found[0].breaks
        assert found[0].key == key
        return one.fix

    assert "@upcast" in fix("message")
    assert "@upcast" not in fix("task")


class Either(msgspec.Struct):
    x: int | str


class Number(msgspec.Struct):
    x: int


class NumberMore(msgspec.Struct):
    x: int
    y: int = 0


def test_the_version_before_is_all_that_counts_where_the_mode_says_so() -> None:
    """`x` was narrowed once, with nobody asked; a name that was never taken away is not reserved."""
    history = (Message(Either, 1), Message(Number, 2))
    assert verdict(Message(NumberMore, 3), locked(*history, mode=Mode.BACKWARD)).status is Status.CHANGED
    found = verdict(Message(NumberMore, 3), locked(*history, mode=Mode.BACKWARD_TRANSITIVE))
    assert told(found) == {(Kind.TYPE, "$.x", Whom.NEW, (1, 3))}


class Branch(msgspec.Struct):
    children: list["Branch"]
    number: int = 0


def test_a_class_that_holds_itself_has_fields_that_end() -> None:
    lock = locked(Message(Branch, 1), Message(V1, 2), mode=Mode.FULL)
    assert verdict(Message(Branch, 3, min_reader=3), lock).breaks
