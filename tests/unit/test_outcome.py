"""Outcomes on their way to the server: grouped, bounded, and always fit for the wire."""

from typing import Any

from postroom.jobs.failure import Cause, Failure
from postroom.jobs.keys import Keys
from postroom.jobs.settings import Settings
from postroom.workers.claimed import Claimed, read_claim
from postroom.workers.outcome import BATCH, Outcome, buried, finished, released, retried, settle_calls


def job(job_id: str = "job-1", queue: str = "mail") -> Claimed:
    return read_claim([7, [*([None] * 13), job_id.encode()]], queue, 0.0)[0]


def commands(*outcomes: Outcome) -> list[tuple[list[Any], list[Outcome]]]:
    return [(list(call.command), part) for call, part in settle_calls(outcomes, Keys(), "host-1", Settings())]


def test_one_call_for_each_verb_and_queue_in_order() -> None:
    outcomes = [
        released(job("a")),
        finished(job("b"), b"1", 1.0, 2.0, 500),
        released(job("c")),
        released(job("d", "slow")),
    ]
    calls = commands(*outcomes)
    assert [part for _, part in calls] == [[outcomes[0], outcomes[2]], [outcomes[1]], [outcomes[3]]]
    assert calls[0][0][-4:] == ["a", 7, "c", 7]


def test_calls_are_bounded_by_number() -> None:
    assert [len(part) for _, part in commands(*(released(job(str(n))) for n in range(BATCH + 1)))] == [BATCH, 1]


def test_what_the_scripts_are_told() -> None:
    done = finished(job(), b"1", 1.0, 2.5, 500)
    assert done.args == ["job-1", 7, b"1", "1970-01-01T00:00:01.000000Z", "1970-01-01T00:00:02.500000Z", 500, ""]
    again = retried(job(), 5.0, {"p:attempt": 1, "p:first": "1.0"})
    assert again.args == ["job-1", 7, 5.0, "back", b"", 4, "p:attempt", 1, "p:first", "1.0"]


def test_a_dead_letter_says_why() -> None:
    failure = Failure(3, 1.0, 2.5, "ValueError: no", "f00", "the traceback", "w1", "host", "v1")
    dead = buried(job(), Cause.EXHAUSTED, failure, {"p:task": "t"}, 60, "")
    assert dead.args[:6] == ["job-1", 7, 60, "", failure.stored, 16]
    told = dict(zip(dead.args[6::2], dead.args[7::2], strict=True))
    assert told == {
        "p:reason": "ValueError: no",
        "p:cause": "exhausted",
        "p:fingerprint": "f00",
        "p:attempt": 1,
        "p:task": "t",
        "exc_info": "the traceback",
        "started_at": "1970-01-01T00:00:01.000000Z",
        "ended_at": "1970-01-01T00:00:02.500000Z",
    }
