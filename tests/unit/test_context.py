"""`current_job` outside and inside of a handler."""

import contextvars

import pytest

from postroom import current_job
from postroom.jobs.context import Run, current


def test_outside_of_a_handler_it_says_so() -> None:
    assert not current_job
    with pytest.raises(RuntimeError, match=r"current_job\.attempt: no job runs here"):
        _ = current_job.attempt


def test_inside_it_has_the_fields_of_the_run() -> None:
    def handler() -> tuple[object, ...]:
        current.set(Run("job-1", "mail", "shop.send", 2, 7))
        assert current_job
        return current_job.id, current_job.queue, current_job.task, current_job.attempt, current_job.fence

    assert contextvars.Context().run(handler) == ("job-1", "mail", "shop.send", 2, 7)
    assert Run("job-1", "mail", "shop.send", 2, 7).idempotency_key == "job-1"
    assert not current_job


def test_a_field_that_does_not_exist() -> None:
    def handler() -> None:
        current.set(Run("job-1", "mail", "shop.send", 1, 1))
        _ = current_job.atempt

    with pytest.raises(AttributeError, match="atempt"):
        contextvars.Context().run(handler)
