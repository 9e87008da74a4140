"""Typed jobs as a worker reads them."""

import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from postroom import Postroom, Secret, message
from postroom.jobs.codecs import encode_call
from postroom.jobs.times import rq_time
from postroom.workers.claimed import Claimed
from postroom.workers.outcome import Outcome
from postroom.workers.ready import Ready
from postroom.workers.runner import Runner

Read = Callable[..., Ready | Outcome]


@pytest.fixture
def runner(app_without_server: Callable[[], Postroom]) -> Runner:
    return Runner(app_without_server(), "host-1")


@pytest.fixture
def read(runner: Runner) -> Read:
    """Read a call of a function as a task's."""

    def read_one(
        function: Any, *args: Any, packed: bool = False, stored: dict[str, Any] | None = None, **declared: Any
    ) -> Ready | Outcome:
        runner._app.tasks.clear()
        runner._app.task(name="t", **declared)(function)
        data = encode_call("t", args, {})
        data = zlib.compress(data) if packed else data
        nothing: dict[str, Any] = dict.fromkeys(("first_started", "timeout", "result_ttl", "created_at"))
        nothing.update(stored or {})
        return runner.read(Claimed("job-1", "q", 7, data, "json", 0, saved_by_rq=packed, deaths=0, at=0.0, **nothing))

    return read_one


def field(outcome: Ready | Outcome, name: str) -> Any:
    """A field of a dead letter's hash."""
    assert isinstance(outcome, Outcome)
    assert outcome.verb == "bury"
    return dict(zip(outcome.args[6::2], outcome.args[7::2], strict=True))[name]


@pytest.mark.parametrize("packed", [False, True])
def test_arguments_come_as_their_types_also_where_rq_has_saved_the_hash(read: Read, packed: bool) -> None:
    def handler(price: Decimal, at: datetime) -> None: ...

    args = ("1.50", "2026-11-26T12:00:00Z")
    ready = read(handler, *args, packed=packed)
    assert isinstance(ready, Ready)
    assert ready.args == (Decimal("1.50"), datetime(2026, 11, 26, 12, tzinfo=UTC))
    ready = read(handler, *args, packed=packed, typed=False)
    assert isinstance(ready, Ready)
    assert tuple(ready.args) == args


def test_arguments_that_do_not_fit_make_a_dead_letter_whatever_its_policy(read: Read) -> None:
    def handler(prices: list[Decimal]) -> None: ...

    first, other = read(handler, ["x"]), read(handler, ["1", "1", "x"])
    assert field(other, "p:reason") == "t: prices[2]: invalid decimal string"
    assert (field(other, "p:cause"), field(other, "p:task")) == ("undecodable", "t")
    assert field(first, "p:fingerprint") == field(other, "p:fingerprint"), "one kind, whatever the index"
    missing = read(handler)
    assert field(missing, "p:reason") == "t: missing a required argument: 'prices'"
    assert field(first, "p:fingerprint") != field(missing, "p:fingerprint")


def test_a_secret_is_masked_as_its_type_spells_it(read: Read, runner: Runner) -> None:
    def handler(key: Secret[bytes], at: Secret[datetime]) -> None:
        raise ValueError(f"{key!r} at {at!r}")

    ready = read(handler, b"\xffc4nary", datetime(1970, 2, 3, tzinfo=UTC))
    assert isinstance(ready, Ready)
    assert ready.function is not None
    with pytest.raises(ValueError, match="c4nary") as raised:
        ready.function(*ready.args)
    assert field(runner.raised(ready, raised.value, time.time()), "p:reason") == "ValueError: b'***' at ***"


@message("typed-jobs.order", version=2)
@dataclass
class Order:
    number: int


def handler_of_orders(order: Order) -> None: ...


def test_what_is_too_new_is_declined(read: Read) -> None:
    outcome = read(handler_of_orders, {"number": 1}, stored={"messages": b'{"typed-jobs.order":[4,3]}'})
    assert isinstance(outcome, Outcome)
    assert outcome.verb == "decline"
    why = "message typed-jobs.order of version 4, which needs a reader of version 3"
    assert outcome.args == ["job-1", 7, "typed-jobs.order", 3, why, 300]


@pytest.mark.parametrize(("age", "verb"), [(1, "decline"), (86_200, "decline"), (90_000, "bury"), (None, "bury")])
def test_an_unknown_task_waits_a_day(runner: Runner, age: float | None, verb: str) -> None:
    made = None if age is None else rq_time(time.time() - age).encode()
    nothing: dict[str, Any] = dict.fromkeys(("first_started", "timeout", "result_ttl"))
    data = encode_call("nosuch", (), {})
    job = Claimed("a", "q", 7, data, "json", 0, created_at=made, saved_by_rq=False, deaths=0, at=0.0, **nothing)
    outcome = runner.read(job)
    assert isinstance(outcome, Outcome)
    assert outcome.verb == verb
    if verb == "bury":
        assert field(outcome, "p:cause") == "unknown-task"
    else:
        assert outcome.args[2:5] == ["nosuch", "", "task nosuch"]
        assert outcome.args[5] == pytest.approx(86_400 - (age or 0), abs=1)
