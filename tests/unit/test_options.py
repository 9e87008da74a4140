"""Options of a job: every bad value is refused where it is written, and named."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from postroom import ConfigError
from postroom.jobs.options import Options, check_queue_name, seconds, whole_seconds

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"queue": "mail", "at_front": True},
        {"queue": "höflich"},
        {"job_id": "receipt-42_A"},
        {"job_id": "x" * 128},
        {"delay": 0},
        {"delay": 0.5},
        {"delay": timedelta(days=30)},
        {"run_at": NOON},
        {"timeout": 0.5},
        {"timeout": timedelta(minutes=5)},
        {"result_ttl": 0},
        {"result_ttl": -1},
        {"result_ttl": timedelta(hours=1)},
        {"key": "customer:7"},
        {"key": "Zoë/" + "x" * 124},
        {"key": str.upper},
        {"key": None},
    ],
)
def test_good_values_are_kept(options: dict[str, Any]) -> None:
    made = Options().but(**options)
    assert {name: getattr(made, name) for name in options} == options


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"delay": -1}, "delay=-1"),
        ({"delay": timedelta(seconds=-1)}, "delay="),
        ({"delay": float("nan")}, "delay=nan"),
        ({"delay": float("inf")}, "delay=inf"),
        ({"delay": "5"}, "delay='5'"),
        ({"delay": 1e300}, "delay=1e"),
        ({"delay": 5, "run_at": NOON}, "delay=5 and run_at="),
        ({"run_at": datetime(2026, 11, 23, 12)}, "no time zone"),
        ({"run_at": 1_700_000_000}, "run_at=1700000000"),
        ({"run_at": "tomorrow"}, "run_at='tomorrow'"),
        ({"timeout": 0}, "timeout=0"),
        ({"timeout": -1}, "timeout=-1"),
        ({"timeout": timedelta(0)}, "timeout="),
        ({"timeout": "5"}, "timeout='5'"),
        ({"timeout": float("nan")}, "timeout=nan"),
        ({"timeout": float("inf")}, "timeout=inf"),
        ({"timeout": 10**400}, "timeout=1000"),
        ({"key": ""}, "key=''"),
        ({"key": "x" * 129}, "key='xxx"),
        ({"key": "customer 7"}, "without spaces"),
        ({"key": "a\x00"}, "printable"),
        ({"key": "customer-{id}"}, "without its f: write f'…', or key=lambda"),
        ({"key": 7}, "key=7"),
        ({"key": b"k"}, "key=b'k'"),
        ({"result_ttl": -2}, "result_ttl=-2"),
        ({"result_ttl": "day"}, "result_ttl='day'"),
        ({"result_ttl": 10**18}, "result_ttl=1000"),
        ({"job_id": ""}, "job_id=''"),
        ({"job_id": "x" * 129}, "job_id="),
        ({"job_id": "a:b"}, "job_id='a:b'"),
        ({"job_id": "a b"}, "job_id='a b'"),
        ({"job_id": "a\n"}, "job_id="),
        ({"job_id": "ö"}, "job_id='ö'"),
        ({"job_id": 42}, "job_id=42"),
        ({"at_front": "yes"}, "at_front='yes'"),
        ({"prio": 3}, r"no option 'prio'; there are: .*queue"),
    ],
)
def test_bad_values_are_named(options: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        Options().but(**options)


@pytest.mark.parametrize("name", ["", " ", "a b", "a\n", "a\x00", "x" * 201, "mail:intermediate", None, 3, b"mail"])
def test_bad_queue_names_are_named(name: Any) -> None:
    with pytest.raises(ConfigError, match="queue="):
        check_queue_name(name)
    with pytest.raises(ConfigError, match="queue="):
        Options().but(queue=name)


@pytest.mark.parametrize("name", ["mail", "mail:eu", "Größe", "x" * 200, "{tag}.mail", "*"])
def test_good_queue_names(name: str) -> None:
    check_queue_name(name)


def test_but_leaves_the_original_as_it_was() -> None:
    first = Options(queue="mail", timeout=5)
    assert first.but(timeout=7) == Options(queue="mail", timeout=7)
    assert first == Options(queue="mail", timeout=5)


def test_durations() -> None:
    assert seconds(timedelta(milliseconds=1500)) == 1.5
    assert (whole_seconds(0.2), whole_seconds(3), whole_seconds(timedelta(milliseconds=1500))) == (1, 3, 2)


def test_the_key_of_a_call() -> None:
    made = Options(key=lambda customer, change="": f"c-{customer}{change}")
    assert made.key_of((7,), {}) == "c-7"
    assert made.key_of((), {"customer": 8, "change": "x"}) == "c-8x"
    assert made.but(key="fixed").key_of((7,), {}) == "fixed"
    assert made.but(key=None).key_of((7,), {}) == ""
    assert Options(key=lambda *_: None).key_of((7,), {}) == ""
    with pytest.raises(ConfigError, match="key=7: 1 to 128 printable"):
        Options(key=lambda customer: customer).key_of((7,), {})
    with pytest.raises(TypeError, match="takes 0 positional arguments"):
        Options(key=lambda: "k").key_of((7,), {})
