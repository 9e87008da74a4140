"""Keys: RQ's own, under RQ's own prefix rule, and ours beside them in the same slot."""

from typing import Any

import pytest
from rq import Queue, Worker
from rq.job import Job, parse_job_id, validate_job_id
from rq.registry import (
    CanceledJobRegistry,
    DeferredJobRegistry,
    FailedJobRegistry,
    FinishedJobRegistry,
    ScheduledJobRegistry,
    StartedJobRegistry,
)
from rq.results import Result
from rq.worker_registration import REDIS_WORKER_KEYS, WORKERS_BY_QUEUE_KEY

from postroom import ConfigError
from postroom.jobs.keys import JOB_ID, Keys

NOBODY: Any = object()
"""A connection that is never used."""


def test_rqs_keys_are_rqs() -> None:
    keys = Keys()
    assert keys.queues() == Queue.redis_queues_keys
    assert keys.queue("mail") == Queue("mail", connection=NOBODY).key
    assert keys.job("42") == Job.key_for("42")
    assert keys.dependencies("42") == Job("42", connection=NOBODY).dependencies_key
    assert keys.worker("w1") == f"{Worker.redis_worker_namespace_prefix}w1"
    assert keys.workers() == REDIS_WORKER_KEYS
    assert keys.workers_of("mail") == WORKERS_BY_QUEUE_KEY % "mail"
    assert keys.results("42") == Result.get_key("42")  # type: ignore[no-untyped-call]


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (Keys.wip, StartedJobRegistry),
        (Keys.finished, FinishedJobRegistry),
        (Keys.failed, FailedJobRegistry),
        (Keys.scheduled, ScheduledJobRegistry),
        (Keys.deferred, DeferredJobRegistry),
        (Keys.canceled, CanceledJobRegistry),
    ],
)
def test_registries_are_rqs(ours: Any, theirs: Any) -> None:
    assert ours(Keys(), "mail") == theirs("mail", connection=NOBODY).key


def test_the_prefix_is_the_one_that_rqs_tools_use(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (Keys.from_env().queue("mail"), Keys.from_env().token()) == ("rq:queue:mail", "postroom:token")
    monkeypatch.setenv("RQ_KEY_PREFIX", "{shop}")
    keys = Keys.from_env()
    assert keys.queue("mail") == "{shop}:queue:mail"
    assert keys.held("host-1") == "postroom:{shop}:held:host-1", "in the same slot of a cluster"


@pytest.mark.parametrize("prefix", ["", "a b", "rq*", "a/b", "ö"])
def test_a_prefix_that_rq_refuses(prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RQ_KEY_PREFIX", prefix)
    with pytest.raises(ConfigError, match="RQ_KEY_PREFIX="):
        Keys.from_env()


@pytest.mark.parametrize("text", ["a", "A-b_9", "x" * 128, "", "a:b", "a b", "a\n", "ö", "x" * 129])
def test_our_rule_for_ids_is_not_laxer_than_rqs(text: str) -> None:
    if JOB_ID.fullmatch(text):
        validate_job_id(text)
        assert parse_job_id(text) == text
    else:
        assert not text.isascii() or not text.isalnum() or len(text) > 128
