"""Messages: the fields of a new job's hash, and batches that are bounded and made only when asked for."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom import EncodeError, Rejected
from postroom.jobs.keys import JOB_ID
from postroom.jobs.messages import BATCH_BYTES, BATCH_JOBS, Batch, Placement, batch_of_one, batches
from postroom.jobs.options import Options

LIMIT = 1_000_000
NOW = "2026-11-23T08:00:00.000000Z"
LATER = datetime(2026, 11, 24, 8, tzinfo=UTC)


def fields(**options: Any) -> dict[str, Any]:
    at = datetime.fromisoformat(NOW).timestamp()
    flat = batch_of_one("shop.send", [42], {}, Options().but(**options), LIMIT, at).fields
    return dict(zip(flat[::2], flat[1::2], strict=True))


def data(batch: Batch) -> list[Any]:
    return batch.jobs[2::3]


def test_the_fields_of_a_plain_job() -> None:
    assert fields() == {
        "origin": "default",
        "status": "queued",
        "created_at": NOW,
        "enqueued_at": NOW,
        "p:type": "json",
    }
    assert data(batch_of_one("shop.send", [42], {}, Options(), LIMIT)) == [b'["shop.send",null,[42],{}]']


def test_options_are_written_as_rq_writes_them() -> None:
    found = fields(queue="mail", timeout=timedelta(milliseconds=1500), result_ttl=-1)
    assert (found["origin"], found["timeout"], found["result_ttl"]) == ("mail", 2, -1)


@pytest.mark.parametrize("when", [{"delay": 60}, {"run_at": LATER}])
def test_a_job_for_later_is_scheduled_and_not_yet_enqueued(when: dict[str, Any]) -> None:
    found = fields(**when, at_front=True)
    assert found["status"] == "scheduled"
    assert found["enqueue_at_front"] == 1
    assert "enqueued_at" not in found


def test_a_delay_of_nothing_is_no_delay() -> None:
    assert fields(delay=0)["status"] == fields(delay=timedelta(0))["status"] == "queued"
    assert Placement.of(Options(delay=0)).where == Placement.of(Options(delay=timedelta(0))).where == "back"


def test_only_an_id_of_the_callers_has_a_nonce() -> None:
    own = [batch_of_one("t", [], {}, Options(job_id="receipt-42"), LIMIT) for _ in range(2)]
    assert own[0].ids == own[1].ids == [own[0].jobs[0]] == ["receipt-42"]
    assert own[0].jobs[1] != own[1].jobs[1]
    assert batch_of_one("t", [], {}, Options(), LIMIT).jobs[1] == ""


def test_ids_are_rqs_and_differ() -> None:
    ids = [job_id for batch in batches("t", [()] * 1200, Options(), LIMIT) for job_id in batch.ids]
    ids += batch_of_one("t", [], {}, Options(), LIMIT).ids
    assert len(set(ids)) == 1201
    assert all(JOB_ID.fullmatch(job_id) and len(job_id) == 24 for job_id in ids)


def test_placement() -> None:
    assert Placement.of(Options()) == Placement("back")
    assert Placement.of(Options(at_front=True)) == Placement("front")
    assert Placement.of(Options(delay=timedelta(minutes=1))) == Placement("scheduled", delay=60.0)
    assert Placement.of(Options(run_at=LATER, at_front=True)) == Placement("scheduled", due=LATER.timestamp())


def test_a_payload_over_the_limit_is_rejected_with_its_size_and_the_limit() -> None:
    with pytest.raises(Rejected, match=r"shop.send: the call has 1,000,026 bytes, the limit is 1,000,000"):
        batch_of_one("shop.send", ["x" * 1_000_000], {}, Options(), LIMIT)
    assert batch_of_one("t", ["x" * (LIMIT - len('["t",null,[""],{}]'))], {}, Options(), LIMIT).size == LIMIT


class Counted:
    """Calls, counted as they are read."""

    def __init__(self, count: int, size: int = 1) -> None:
        self.read = 0
        self._count, self._text = count, "x" * size

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        for number in range(self._count):
            self.read += 1
            yield number, self._text


def test_batches_are_read_no_further_than_asked() -> None:
    calls = Counted(10_000)
    made = batches("t", calls, Options(), LIMIT)
    assert calls.read == 0
    assert len(next(made).ids) == calls.read == BATCH_JOBS
    assert len(next(made).ids) == BATCH_JOBS


def test_batches_are_bounded_by_bytes() -> None:
    calls = Counted(10, size=300_000)
    sizes = [[len(one) for one in data(batch)] for batch in batches("t", calls, Options(), LIMIT)]
    assert [len(batch) for batch in sizes] == [3, 3, 3, 1]
    assert all(sum(batch) <= BATCH_BYTES for batch in sizes)


def test_the_jobs_before_a_bad_one_come_first() -> None:
    def calls() -> Iterator[Any]:
        for _ in range(BATCH_JOBS):
            yield (1,)
        yield (object(),)

    made = batches("t", calls(), Options(), LIMIT)
    assert len(next(made).ids) == BATCH_JOBS
    with pytest.raises(EncodeError, match="argument 0 of type object"):
        next(made)


@given(sizes=st.lists(st.integers(min_value=0, max_value=400_000), max_size=12))
def test_no_job_is_lost_or_reordered_between_batches(sizes: list[int]) -> None:
    calls: list[Any] = [(number, "x" * size) for number, size in enumerate(sizes)]
    made = list(batches("t", calls, Options(), LIMIT))
    assert [one.split(b",")[2] for batch in made for one in data(batch)] == [b"[%d" % n for n in range(len(sizes))]
    assert all(batch.ids and (len(batch.ids) == 1 or batch.size <= BATCH_BYTES) for batch in made)
