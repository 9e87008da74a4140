"""The kit of mode `server`: jobs go to a real server, and are run from there in this process."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis

from postroom.embedded import PAUSE, SILENCE, server_program
from postroom.jobs import calls
from postroom.jobs.app import Postroom
from postroom.jobs.broker import Broker, RoundTrip
from postroom.jobs.errors import ConfigError, JobFailed
from postroom.jobs.keys import Keys
from postroom.jobs.kit import Kit, read_batch
from postroom.jobs.scripts import SCRIPTS
from postroom.scheduler import Tell
from postroom.testing import crash
from postroom.testing.inline import off_loop
from postroom.testing.solo import Solo

ROUNDS = 1000
"""After so many a job is taken for one that never comes to an end."""
_UNTIL_WE_END = '"$@" & server=$!; read -r _; kill $server; wait $server'
"""The shell waits on a pipe that closes when this process ends, however it ends."""


class PassingServer:
    """A server in a folder of its own, both gone when it is closed, or this process ends. It keeps nothing on disk.

    Raises:
        ConfigError: no server program is installed, or it does not come up.
    """

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="postroom-"))
        socket = self._folder / "s"
        self.url = f"unix://{socket}"
        """Where it listens."""
        command = [server_program(), "--port", "0", "--unixsocket", str(socket), "--save", ""]
        command += ["--dir", str(self._folder)]
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - the program is the wheel's or the one on PATH
                ["/bin/sh", "-c", _UNTIL_WE_END, "sh", *command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the tests
            )
        self._wait()

    def empty(self) -> None:
        """Forget everything."""
        with redis.Redis.from_url(self.url) as client:
            client.flushall()

    def close(self) -> None:
        """End it."""
        self._process.communicate()  # which closes the pipe
        shutil.rmtree(self._folder, ignore_errors=True)

    def _wait(self) -> None:
        end = time.monotonic() + SILENCE
        while time.monotonic() < end:
            try:
                self.empty()
                return
            except redis.RedisError:
                time.sleep(PAUSE)
        told = (self._folder / "log").read_text(errors="replace")
        self.close()
        raise ConfigError(f"the tests' server does not answer for {SILENCE:g} s: {told}")


@contextmanager
def open_kit(app: Postroom, url: str | None, raises: bool) -> Iterator[Kit]:
    """The kit, on the server at `url`, or on one of its own."""
    own = PassingServer() if url is None else None
    try:
        kit = ServerKit(app, own.url if own else str(url), raises)
        try:
            yield kit
        finally:
            kit.broker.close()
    finally:
        if own:
            own.close()


class ServerKit(Kit):
    """Runs jobs when it is told to."""

    def __init__(self, app: Postroom, url: str, raises: bool) -> None:
        super().__init__(app, _Noting(url, app.keys, app.settings.deadline, self))
        self._postroom, self._raises = app, raises
        self._dead: set[str] = set()
        # Now, so that a later step is the same whether the server knew the script or not.
        self.broker.run_many([calls.Call(("SCRIPT", "LOAD", script.source), bool) for script in SCRIPTS.values()])

    def drain(self, *, with_scheduled: bool = False) -> None:
        """As `Kit.drain`. Under `crashpoints` in another process, which is killed."""
        trial = crash.under_way

        def work() -> None:
            off_loop(lambda: self._run(with_scheduled))

        if trial is None:
            work()
        else:
            trial.run(work, self._recover)
        for job_id in self._dead_letters():
            self._dead.add(job_id)
            if self._raises:
                self._postroom.job(job_id).result(timeout=0)
                raise JobFailed(job_id, "it is a dead letter", "")
        if trial is not None:
            trial.compare(self._jobs())

    def _run(self, with_scheduled: bool) -> None:
        solo = Solo(self._postroom)
        for _ in range(ROUNDS):
            self._wake("inf" if with_scheduled else "")
            if not solo.run():
                return
            solo = Solo(self._postroom)
        raise AssertionError(f"jobs come up again and again, after {ROUNDS:,} rounds still: does one snooze for ever?")

    def _wake(self, now: str) -> None:
        """What the duties would do: jobs that are due are queued, and hooks are told."""
        if self._postroom.hooks:
            Tell(in_turn=False).do(self._postroom)
        keys, batch = self._postroom.keys, 500
        queues = self.broker.run(calls.queue_names(keys))
        while queues:
            moved = self.broker.run_many([calls.promote(keys, queue, batch, now) for queue in queues])
            queues = [queue for queue, (count, _) in zip(queues, moved, strict=True) if count == batch]

    def _dead_letters(self) -> list[str]:
        keys = self._postroom.keys
        queues = self.broker.run(calls.queue_names(keys))
        asked = [calls.Call(("ZRANGE", keys.failed(queue), 0, -1), calls.texts) for queue in queues]
        found = [job_id for ids in self.broker.run_many(asked) for job_id in ids] if asked else []
        return [job_id for job_id in found if job_id not in self._dead]

    def _recover(self) -> None:
        """What a dead worker held goes back, as when its lease has ended."""
        keys = self._postroom.keys
        for process in self.broker.run(calls.Call(("ZRANGE", keys.leases(), 0, -1), calls.texts)):
            while self.broker.run(calls.recover(keys, process, resigned=True)):
                pass

    def _jobs(self) -> list[str]:
        """Every job on the server: its task, its queue, its state."""
        with self.broker.client() as client:
            stored = [client.hgetall(key) for key in client.scan_iter(match=self._postroom.keys.job("*"), count=1000)]
        return sorted(crash.told(fields) for fields in stored)


class _Noting(Broker):
    """Sends as ever, and keeps an account of the jobs that were acknowledged."""

    def __init__(self, url: str, keys: Keys, deadline: float, kit: ServerKit) -> None:
        super().__init__(url, keys, deadline)
        self._kit = kit

    def round_trip(self, asked: Sequence[calls.Call[Any]]) -> RoundTrip:
        return _Noted(self, asked)

    async def atry_many(self, asked: Sequence[calls.Call[Any]]) -> list[Any]:
        replies = await super().atry_many(asked)
        self.note(asked, replies)
        return replies

    def note(self, sent: Sequence[calls.Call[Any]], replies: Sequence[Any]) -> None:
        """These were acknowledged, but for those whose reply is an error."""
        for call, reply in zip(sent, replies, strict=True):
            if isinstance(call, calls.Enqueue) and not isinstance(reply, Exception):
                for job in read_batch(call):
                    self._kit.take(job)


class _Noted(RoundTrip):
    def replies(self) -> list[Any]:
        replies = super().replies()
        self._broker.note(self._calls, replies)  # type: ignore[attr-defined]
        return replies
