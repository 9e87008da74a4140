"""Times as RQ writes them."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rq.utils import utcformat, utcparse

from postroom.jobs.times import parse_rq_time, rq_time

EPOCHS = st.integers(min_value=0, max_value=4_102_444_800_000_000)


@given(microseconds=EPOCHS)
def test_rq_reads_what_we_write_and_we_read_what_rq_writes(microseconds: int) -> None:
    at = datetime.fromtimestamp(microseconds // 1_000_000, UTC).replace(microsecond=microseconds % 1_000_000)
    text = rq_time(at.timestamp())
    assert abs((utcparse(text) - at).total_seconds()) <= 1e-6, "a float of seconds has no more"
    assert parse_rq_time(text) == utcparse(text)
    assert parse_rq_time(utcformat(at)) == at


@given(microseconds=st.lists(EPOCHS, min_size=2, max_size=2).map(sorted))
def test_texts_sort_as_times_do(microseconds: list[int]) -> None:
    earlier, later = (rq_time(one / 1_000_000) for one in microseconds)
    assert earlier <= later
    assert len(earlier) == len(later) == len("2026-11-23T08:00:00.000000Z")


def test_now() -> None:
    before, found, after = datetime.now(UTC), parse_rq_time(rq_time()), datetime.now(UTC)
    assert (before - found).total_seconds() < 1e-5
    assert (found - after).total_seconds() < 1e-5


def test_rqs_old_form_and_offsets_are_read() -> None:
    assert parse_rq_time("2026-11-23T08:00:00Z") == datetime(2026, 11, 23, 8, tzinfo=UTC)
    assert parse_rq_time("2026-11-23T08:00:00") == datetime(2026, 11, 23, 8, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01T00:00:00Z", "\x00", "1700000000.5"])
def test_what_is_no_date(text: str) -> None:
    with pytest.raises(ValueError, match=r"isoformat|month"):
        parse_rq_time(text)
