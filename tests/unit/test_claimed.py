"""What a claim brought: read without ever raising, whatever stands in the hash."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.workers.claimed import Claimed, read_claim

FIELDS = (
    *("status", "data", "p:type", "p:attempt", "p:first", "timeout", "result_ttl", "created_at", "rq"),
    *("p:reason", "p:deaths", "p:deadline", "p:limits", "enqueued_at", "p:trace", "p:messages"),
)


def claimed(**fields: bytes) -> Claimed:
    row = [*(fields.get(name.replace(":", "_")) for name in FIELDS), b"job-1"]
    (found,) = read_claim([7, row], "mail", 1.5)
    return found


def test_a_job_of_ours() -> None:
    found = claimed(status=b"queued", data=b"[]", p_type=b"json", timeout=b"5", result_ttl=b"0", created_at=b"now")
    assert (found.id, found.queue, found.token, found.at) == ("job-1", "mail", 7, 1.5)
    assert (found.data, found.content_type, found.timeout, found.result_ttl) == (b"[]", "json", b"5", b"0")
    assert (found.made_by_rq, found.saved_by_rq, found.attempt, found.first_started) == (False, False, 1, None)


def test_a_job_of_rqs() -> None:
    found = claimed(status=b"queued", data=b"[]", rq=b"")
    assert (found.made_by_rq, found.saved_by_rq) == (True, True)


def test_a_retry_counts_on_and_a_redriven_dead_letter_begins_anew() -> None:
    again = claimed(p_type=b"json", p_attempt=b"2", p_first=b"1700000000.5")
    assert (again.attempt, again.first_started) == (3, 1700000000.5)
    redriven = claimed(p_type=b"json", p_attempt=b"5", p_first=b"1700000000.5", p_reason=b"ValueError: no")
    assert (redriven.attempt, redriven.first_started) == (1, None)


def test_many_jobs_and_none() -> None:
    row = [None] * len(FIELDS)
    found = read_claim([b"9", [*row, b"a"], [*row, b"b"]], "mail", 0.0)
    assert [(job.id, job.token) for job in found] == [("a", 9), ("b", 9)]
    assert read_claim([], "mail", 0.0) == []


def test_without_what_only_observers_read() -> None:
    (found,) = read_claim([7, [*[None] * (len(FIELDS) - 2), b"a"]], "mail", 0.0)
    assert (found.id, found.at, found.trace, found.enqueued_at) == ("a", 0.0, None, None)


ANYTHING = st.none() | st.binary(max_size=30) | st.sampled_from([b"\xff", b"9" * 5000, b"nan", b"inf", b"-1", b"1e9"])


@given(row=st.lists(ANYTHING, min_size=len(FIELDS), max_size=len(FIELDS)))
def test_nothing_in_a_hash_stops_the_reader(row: list[Any]) -> None:
    (found,) = read_claim([7, [*row, b"job-1"]], "mail", 0.0)
    assert found.id == "job-1"
    assert found.attempt >= 1


@pytest.mark.parametrize("first", [b"nan", b"inf", b"-inf", b"soon"])
def test_a_start_that_is_no_time_is_none(first: bytes) -> None:
    assert claimed(p_type=b"json", p_first=first).first_started is None
