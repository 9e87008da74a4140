"""Calls that are made as the last one was: decoded once, and read as all others are."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pydantic
import pytest

from postroom import Postroom, Secret, message
from postroom.jobs.codecs import encode_call
from postroom.workers.claimed import Claimed
from postroom.workers.outcome import Outcome
from postroom.workers.reading import Reading
from postroom.workers.ready import Ready
from postroom.workers.runner import Runner


@dataclass
class Line:
    sku: str
    price: Decimal = Decimal(1)


class Model(pydantic.BaseModel):
    price: Decimal


@message("expected.placed", version=2, min_reader=1)
@dataclass
class Placed:
    id: int


@pytest.fixture
def app(app_without_server: Callable[[], Postroom]) -> Postroom:
    made = app_without_server()

    @made.task(name="bill")
    def bill(line: Line, count: int = 1, *more: int, currency: str = "EUR", **others: int) -> None: ...

    @made.task(name="model")
    def model(it: Model) -> None: ...

    @made.task(name="placed")
    def placed(it: Placed) -> None: ...

    @made.task(name="plain")
    def plain(it, currency=""):  # type: ignore[no-untyped-def]
        ...

    return made


def job(data: bytes, **fields: Any) -> Claimed:
    nothing: dict[str, Any] = dict.fromkeys(("first_started", "timeout", "result_ttl", "created_at"))
    given: dict[str, Any] = {"content_type": "json", "saved_by_rq": False, **nothing, **fields}
    return Claimed("job-1", "q", 7, data, attempts_made=0, deaths=0, at=0.0, **given)


CALLS: list[tuple[str, list[Any], dict[str, Any]]] = [
    ("bill", [{"sku": "a", "price": "1.10"}], {}),
    ("bill", [{"sku": "ä"}, 2], {}),
    ("bill", [{"sku": "a", "strange": [1, {"x": "ö"}]}], {"currency": "USD"}),
    ("bill", [], {"currency": "USD", "line": {"sku": "a"}}),
    ("bill", [], {"line": {"sku": "a"}, "currency": "USD"}),
    ("bill", [{"sku": "a"}, 1, 2, 3], {"other": 4}),
    ("bill", [{"sku": "a"}], {'o"ther': 4}),
    ("bill", [{"sku": "a"}], {"count": 1}),
    ("bill", [{"sku": "a"}, 1], {"count": 1}),
    ("bill", [{"sku": 1}], {}),
    ("bill", [{"sku": "a"}, "1"], {}),
    ("bill", [], {}),
    ("model", [{"price": "1"}], {}),
    ("model", [{"price": "x"}], {}),
    ("model", [{"price": "1"}, 1], {}),
    ("model", [], {"its": {"price": "1"}}),
    ("plain", [{"sku": "a"}], {}),
    ("unknown", [{"sku": "a"}], {}),
]


def told(one: Ready | Outcome) -> Any:
    """What became of it, but for times."""
    if isinstance(one, Ready):
        return one.name, list(one.args), dict(one.kwargs), one.executor
    fields = dict(zip(one.args[6::2], one.args[7::2], strict=True))
    return one.verb, fields["p:reason"], fields["p:cause"], fields["p:fingerprint"]


@pytest.mark.parametrize("before", CALLS, ids=str)
def test_whatever_came_before_a_call_is_read_as_if_nothing_had(app: Postroom, before: Any) -> None:
    for call in CALLS:
        warm = Runner(app, "host-1")
        warm.read(job(encode_call(*before)))
        assert told(warm.read(job(encode_call(*call)))) == told(Runner(app, "host-1").read(job(encode_call(*call))))


@pytest.mark.parametrize("at", [0, 1, 2, 3, 12], ids=lambda at: str(CALLS[at]))
def test_a_call_like_the_last_one_is_decoded_once(app: Postroom, at: int) -> None:
    name, args, kwargs = CALLS[at]
    first = job(encode_call(name, args, kwargs))
    runner = Runner(app, "host-1")
    assert runner._reading._expected.read(first) is None
    ready = runner.read(first)
    assert isinstance(ready, Ready)
    assert runner._reading._expected.read(first) == (name, tuple(ready.args), ready.kwargs)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Reading, "plain", None)
        assert isinstance(runner.read(first), Ready)


def test_what_is_told_of_an_untyped_task_is_nothing(app: Postroom) -> None:
    runner = Runner(app, "host-1")
    runner.read(job(encode_call("plain", [1], {})))
    assert runner._reading._expected._names == {}


@pytest.mark.parametrize(
    "change",
    [
        {"content_type": None},
        {"content_type": "other"},
        {"saved_by_rq": True},
        {"messages": b'{"expected.placed":[3,1]}'},
        {"messages": b'{"expected.placed":[1,1]}'},
        {"messages": None},
    ],
    ids=str,
)
def test_what_must_be_looked_at_first_is(app: Postroom, change: dict[str, Any]) -> None:
    data = encode_call("placed", [Placed(7)], {})
    own = {"messages": app.tasks["placed"].signature.stamp}  # type: ignore[union-attr]
    runner = Runner(app, "host-1")
    runner.read(job(data, **own))
    assert runner._reading._expected.read(job(data, **own)) == ("placed", (Placed(7),), {})
    assert runner._reading._expected.read(job(data, **{**own, **change})) is None


def test_what_is_no_text_is_no_call_also_where_no_type_names_it(app: Postroom) -> None:
    runner = Runner(app, "host-1")
    runner.read(job(encode_call("bill", [{"sku": "a"}], {})))
    outcome = runner.read(job(b'["bill",null,[{"sku":"a","x":"\xff"}],{}]'))
    assert isinstance(outcome, Outcome)
    assert outcome.verb == "bury"


def test_secrets_are_hidden_where_no_type_names_what_is_no_json(
    app: Postroom, app_without_server: Callable[[], Postroom]
) -> None:
    @app.task(name="pay")
    def pay(line: Line, key: Secret[str]) -> None: ...

    runner = Runner(app, "host-1")
    runner.read(job(encode_call("pay", [{"sku": "a"}, "hidden-key"], {})))
    strange = job(b'["pay",null,[{"sku":"a","x":1e999},"hidden-key"],{}]')
    assert isinstance(runner.read(strange), Ready)
    assert runner.veil(strange)("it is hidden-key") == "it is ***"
    assert Runner(app, "host-1").veil(strange)("it is hidden-key") == "it is hidden-key", "and is not run there"
