"""The plugin of pytest: a server for each session, and `@pytest.mark.crashpoints`."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from _pytest.runner import runtestprotocol  # what pytest-rerunfailures repeats tests with

from postroom.jobs.naming import import_module

if TYPE_CHECKING:
    from postroom.testing.crash import Trial
    from postroom.testing.server import PassingServer

NO_STEPS = (
    "crashpoints: no job was run. Enqueue one and run it: with app.testing('server', url=postroom_url) as kit: …; "
    "kit.drain()"
)


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known."""
    config.addinivalue_line(
        "markers",
        "crashpoints: repeat the test, and kill the worker of its kit.drain() once before and once after each step to "
        "Redis (Postroom).",
    )


@pytest.fixture(scope="session")
def postroom_server() -> "Iterator[PassingServer]":
    """A real server for this session's tests."""
    server = import_module("postroom.testing.server").PassingServer()
    yield server
    server.close()


@pytest.fixture
def postroom_url(postroom_server: "PassingServer") -> str:
    """The URL of the session's server, emptied."""
    postroom_server.empty()
    return postroom_server.url


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """Run a marked test again and again; it is reported once, as it went undisturbed, or as it failed first."""
    if item.get_closest_marker("crashpoints") is None:
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for report in _trials(item, nextitem):
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def _trials(item: pytest.Item, nextitem: pytest.Item | None) -> list[pytest.TestReport]:
    """The undisturbed run, one for each point, and an undisturbed one again, which ends the fixtures that end here."""
    crash = import_module("postroom.testing.crash")
    first = crash.Trial()
    failed = [found] if _bad(found := _run(crash, item, item.parent, first)) else []
    whens = ("before", "after")
    points = [crash.Point(step, when) for step in range(len(first.steps)) for when in whens]
    for point in [] if failed else points:
        trial = crash.Trial(point, first)
        reports = _run(crash, item, item.parent, trial)
        if not trial.fired and not _bad(reports):
            _fail(reports, f"it takes other steps each time, so this one was not met: {trial}")
        if _bad(reports):
            for report in reports:
                report.sections.append(("crash point", str(trial)))
            failed.append(reports)
            break
    last = _run(crash, item, nextitem, crash.Trial())
    if not first.steps and not failed and not _bad(last) and all(report.passed for report in last):
        _fail(last, NO_STEPS)
    return failed[0] if failed else last


def _run(
    crash: object, item: pytest.Item, keep: pytest.Item | pytest.Collector | None, trial: "Trial"
) -> list[pytest.TestReport]:
    """One run. Fixtures of `keep` and around it stay, as they would where another test of that place came next."""
    begin = crash.begin  # type: ignore[attr-defined]
    begin(trial)
    try:
        return runtestprotocol(item, nextitem=keep, log=False)  # type: ignore[arg-type]
    finally:
        begin(None)


def _bad(reports: list[pytest.TestReport]) -> bool:
    return any(report.failed for report in reports)


def _fail(reports: list[pytest.TestReport], why: str) -> None:
    for report in reports:
        if report.when == "call":
            report.outcome, report.longrepr = "failed", why
