"""`python -m benchmarks.scheduled`: jobs for later, from when they are due to when a worker starts them.

A million wait. Then 1,000 a second come due while a worker with default settings runs them; then 100,000 are overdue
when the worker comes. How late a job started it tells itself: server and worker have one clock here.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import click

from benchmarks.machine import load, machine
from benchmarks.probe import Probe, spread
from benchmarks.servers import Server, programs
from postroom import Postroom

APP = """
import os, time
from postroom import Postroom
app = Postroom()
late = os.open(os.environ["LATE"], os.O_WRONLY | os.O_APPEND)
@app.task(name="later", queue="later", result_ttl=0)
def later(due):
    now = time.time()
    os.write(late, b"%.6f %.6f\\n" % (now, now - due))
"""
MONTH = 30 * 86_400
RATE = 1_000
"""Jobs that come due in a second."""
WRITES = 2_500
"""Jobs that are surely scheduled in a second, one by one: so long before, the first is due."""
SETTLE = 3.0
"""Seconds until processes have started."""
IDLE = 10.0
"""Seconds for which an idle system's commands are counted."""


class Field:
    """A server, an app, and a folder for those that run beside it."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server, self._folder, self._file = server, folder, folder / "late"
        self._file.touch()
        (folder / "later_app.py").write_text(APP)
        self.app = Postroom(server.url)

    @contextmanager
    def running(self, verb: str, count: int = 1) -> Iterator[None]:
        """So many `postroom VERB`, with default settings."""
        environ = {**os.environ, "POSTROOM_REDIS_URL": self.server.url, "LATE": str(self._file)}
        command = [sys.executable, "-m", "postroom", verb, "later_app:app"]
        with open(os.devnull, "wb") as nowhere:
            started = [
                subprocess.Popen(command, cwd=self._folder, env=environ, stdout=nowhere, stderr=nowhere)
                for _ in range(count)
            ]
        try:
            yield
        finally:
            for process in started:
                process.terminate()
            for process in started:
                process.wait()

    def told(self, count: int, seconds: float) -> list[tuple[float, float]]:
        """When each job started, and how late, once there are `count`; then they are forgotten.

        Raises:
            click.ClickException: there are not, within these seconds.
        """
        end = time.monotonic() + seconds
        while (found := self._file.read_bytes().count(b"\n")) < count:
            if time.monotonic() > end:
                raise click.ClickException(f"only {found:,} of {count:,} jobs were started")
            time.sleep(0.1)
        lines = self._file.read_text().splitlines()
        os.truncate(self._file, 0)
        return [(float(when), float(late)) for when, late in map(str.split, lines)]

    def commands(self) -> int:
        """How many the server has carried out."""
        return int(self.server.client.info("stats")["total_commands_processed"])


def million(field: Field, count: int) -> None:
    """Schedule so many for next month."""
    before, began = field.server.memory(), time.perf_counter()
    for _ in field.app.using("later", queue="later", delay=MONTH).enqueue_many((0,) for _ in range(count)):
        pass
    took = time.perf_counter() - began
    size = (field.server.memory() - before) / count
    click.echo(f"{count:,} scheduled: {count / took:,.0f} a second, {size:.0f} bytes each")


def punctual(field: Field, seconds: int) -> None:
    """Each has a time of its own."""
    count = seconds * RATE
    first = time.time() + count / WRITES
    for number in range(count):
        due = first + number / RATE
        field.app.using("later", queue="later", run_at=datetime.fromtimestamp(due, UTC)).enqueue(due)
    if time.time() > first:
        raise click.ClickException(f"this machine does not schedule {WRITES:,} jobs a second: raise WRITES' time")
    late = [late for _, late in field.told(count, seconds + 60)]
    click.echo(f"{RATE:,} due a second for {seconds} s: late by {spread(late)} ms (median / p99 / longest)")


def outage(field: Field, count: int, run: Callable[[], None]) -> None:
    """All are overdue when the worker comes."""
    due = time.time()
    for _ in field.app.using("later", queue="later", delay=1).enqueue_many((due,) for _ in range(count)):
        pass
    time.sleep(2)
    run()


def back(field: Field, count: int) -> None:
    """The worker comes."""
    probe = Probe(field.server.client)
    with field.running("worker"):
        starts = sorted(when for when, _ in field.told(count, 120))
    rate = (count - 1) / (starts[-1] - starts[0])
    click.echo(f"{count:,} overdue: {rate:,.0f} started a second; another client waits {probe.waits()} ms meanwhile")
    probe.close()


@click.command()
@click.option("--count", type=click.IntRange(1_000), default=1_000_000, show_default=True, help="Jobs for next month.")
@click.option("--seconds", type=click.IntRange(1), default=60, show_default=True, help="Of 1,000 jobs each.")
@click.option("--overdue", type=click.IntRange(1_000), default=100_000, show_default=True)
@click.option("--pools", type=int, multiple=True, default=(1, 3, 10), show_default=True, help="Idle schedulers.")
def main(count: int, seconds: int, overdue: int, pools: Sequence[int]) -> None:
    """Measure, and print a line for each."""
    with Server(programs()["valkey"]) as server, tempfile.TemporaryDirectory() as name, suppress(KeyboardInterrupt):
        field = Field(server, Path(name))
        click.echo(f"{machine()}; {server.name}; load {load()}")
        million(field, count)
        with field.running("worker"):
            time.sleep(SETTLE)
            punctual(field, seconds)
        outage(field, overdue, lambda: back(field, overdue))
        for many in pools:
            with field.running("scheduler", many):
                time.sleep(SETTLE)
                before = field.commands()
                time.sleep(IDLE)
                rate = (field.commands() - before) / IDLE
                click.echo(f"{many} idle schedulers: {rate:.0f} commands a second, all duties together")


if __name__ == "__main__":
    main()
