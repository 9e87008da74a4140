"""Logs: nothing that an error says can steer a terminal or forge a line, and JSON names the job."""

import json
import logging
from collections.abc import Iterator

import pytest

from postroom import current_job
from postroom.jobs.context import Run, current
from postroom.logs import JsonFormatter, PlainFormatter, log_plainly

HOSTILE = "no \x1b[2J\r\x00\x9b\u202e\n2026-01-01 00:00:00 INFO all is well \udcff"


def record(message: str, *args: object, error: BaseException | None = None) -> logging.LogRecord:
    info = (type(error), error, error.__traceback__) if error else None
    return logging.LogRecord("postroom.worker", logging.WARNING, "file", 1, message, args, info)


def raised() -> ValueError:
    try:
        raise ValueError(HOSTILE)
    except ValueError as error:
        return error


def test_plain_lines_cannot_be_forged() -> None:
    said = PlainFormatter("%(levelname)s %(message)s").format(record("job failed: %s", HOSTILE, error=raised()))
    assert all(char.isprintable() or char == "\n" for char in said), said
    first, *more = said.splitlines()
    assert first == r"WARNING job failed: no \x1b[2J\r\x00\x9b\u202e"
    assert all(line.startswith("  ") for line in more)
    assert "Traceback" in said
    said.encode()


def test_json_is_one_line_and_holds_everything() -> None:
    said = JsonFormatter().format(record("job failed: %s", HOSTILE, error=raised()))
    assert "\n" not in said
    told = json.loads(said)
    assert told["message"] == f"job failed: {HOSTILE}".replace("\udcff", "\\udcff")
    assert (told["level"], told["logger"]) == ("WARNING", "postroom.worker")
    assert told["traceback"].startswith("Traceback")
    assert told["time"].endswith("Z")
    assert "job" not in told


def test_json_names_the_job(caplog: pytest.LogCaptureFixture) -> None:
    token = current.set(Run("job-1", "mail", "shop.send", 3, 9))
    try:
        told = json.loads(JsonFormatter().format(record("hello")))
        current_job.log.warning("from the handler")
    finally:
        current.reset(token)
    assert {name: told[name] for name in ("job", "queue", "task", "attempt")} == {
        "job": "job-1",
        "queue": "mail",
        "task": "shop.send",
        "attempt": 3,
    }
    assert caplog.records[-1].name == "postroom.job"


@pytest.fixture
def loggers() -> Iterator[tuple[logging.Logger, logging.Logger]]:
    """Postroom's and the root, as they were, afterwards."""
    ours, root = logging.getLogger("postroom"), logging.getLogger()
    before = (ours.handlers[:], ours.level, ours.propagate, root.handlers[:], root.level)
    ours.handlers[:], root.handlers[:] = [], []
    yield ours, root
    ours.handlers[:], ours.level, ours.propagate, root.handlers[:], root.level = before


@pytest.mark.parametrize(("theirs", "log_json", "handlers"), [(0, False, 1), (0, True, 1), (1, False, 0), (1, True, 1)])
def test_the_root_logger_is_the_users(
    theirs: int, log_json: bool, handlers: int, loggers: tuple[logging.Logger, logging.Logger]
) -> None:
    ours, root = loggers
    root.handlers[:] = [logging.NullHandler()] * theirs
    level = root.level
    log_plainly(False, log_json)
    log_plainly(False, log_json)
    assert (len(ours.handlers), len(root.handlers), root.level) == (handlers, theirs, level)
    assert ours.propagate is not log_json
