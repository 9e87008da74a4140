"""Limits as they are declared."""

from typing import Any

import pytest

from postroom import ConfigError, Limit
from postroom.jobs.limits import limits_of, written


@pytest.mark.parametrize(
    ("rate", "interval"), [("100/m", 0.6), ("1/s", 1.0), ("10/30s", 3.0), ("24/d", 3600.0), ("3600/2h", 2.0)]
)
def test_a_rate_is_an_interval(rate: str, interval: float) -> None:
    assert Limit(rate=rate).interval == pytest.approx(interval)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({}, "give rate='100/m', concurrency=5, or both"),
        ({"rate": "0/m"}, "rate='0/m': 1 job at least"),
        ({"rate": "5/0s"}, "rate='5/0s': 1 job at least"),
        ({"rate": "-1/s"}, "rate='-1/s': write jobs and a time"),
        ({"rate": "5/y"}, "of s, m, h, d"),
        ({"rate": 5}, "rate=5: write"),
        ({"concurrency": 0}, "concurrency=0: 1 to"),
        ({"concurrency": True}, "concurrency=True: 1 to"),
        ({"concurrency": 1.5}, "concurrency=1.5: 1 to"),
        ({"rate": "1/s", "burst": 0}, "burst=0: 1 to"),
        ({"rate": "1/s", "by": "{customer}"}, "has a brace"),
        ({"rate": "1/s", "name": "a b"}, "name='a b': 1 to 100"),
    ],
)
def test_what_is_wrong_is_named(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError) as raised:
        Limit(**wrong)
    assert told in str(raised.value)


def test_what_a_job_says_of_its_limits() -> None:
    limits = limits_of("shop.mail", [Limit(concurrency=5), Limit(name="crm", rate="1/s", by=lambda who: who)])
    assert [limit.name for limit in limits] == ["task:shop.mail", "crm"]
    assert written(limits, ("ann",), {}) == "task:shop.mail\ncrm\tann"
    assert written(limits, (None,), {}) == "task:shop.mail"
    assert [limit.rule for limit in limits] == ["5 0 1", "0 1 1"]
    two = limits_of("t", (Limit(concurrency=1), Limit(rate="1/s")))
    assert [limit.name for limit in two] == ["task:t", "task:t#1"]


def test_a_key_that_cannot_be_one() -> None:
    with pytest.raises(ConfigError, match="by='a b'"):
        written(limits_of("t", Limit(concurrency=1, by=lambda who: who)), ("a b",), {})
