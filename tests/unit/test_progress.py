"""Progress: what a handler may say, and how it is kept."""

import pytest

from postroom import Progress, current_job
from postroom.jobs.context import Run, current


@pytest.mark.parametrize(
    ("done", "total", "share"), [(0, 10, 0.0), (2.5, 10, 0.25), (3, None, None), (9, 3, 1.0), (0, 0, 1.0)]
)
def test_it_is_kept_as_it_was_said(done: float, total: float | None, share: float | None) -> None:
    said = Progress.of(done, total)
    assert Progress.read(said.text.encode()) == said
    assert said.share == share


@pytest.mark.parametrize("stored", [None, b"", b"3", b"[1]", b'["a", 2]', b"[1,2,3]"])
def test_what_cannot_be_read_is_none(stored: bytes | None) -> None:
    assert Progress.read(stored) is None


@pytest.mark.parametrize(
    "wrong", [(-1, 2), (1, -2), (float("nan"), 2), ("1", 2), (True, 2), (None, 2), (1, float("inf"))]
)
def test_what_is_no_number_is_named(wrong: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match=r"set_progress: (done|total)="):
        Progress.of(*wrong)


def test_current_job_tells_its_worker() -> None:
    told: list[tuple[str, Progress]] = []
    run = Run("a", "q", "t", 1, 7, lambda run, progress: told.append((run.id, progress)))
    token = current.set(run)
    try:
        current_job.set_progress(1, 3)
        current_job.set_progress(2)
    finally:
        current.reset(token)
    assert told == [("a", Progress(1, 3)), ("a", Progress(2))]
    with pytest.raises(RuntimeError, match=r"current_job\.set_progress: no job runs here"):
        current_job.set_progress(1)


def test_without_a_worker_nobody_is_told() -> None:
    Run("a", "q", "t", 1, 7).set_progress(1, 2)
