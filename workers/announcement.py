"""The announcement: what a worker process says of itself, so that others know who takes a queue and knows a task.

It stands where RQ's workers stand, so that `rq info` and rq.Worker.all() show ours, too. Whether a process lives, only
its lease tells; the announcement is taken back when the process resigns or is recovered.
"""

import hashlib
import socket
from dataclasses import dataclass

from postroom.jobs import calls
from postroom.jobs.app import Postroom
from postroom.jobs.keys import Keys

REFRESH = 10.0
"""Seconds between two announcements of a process."""
STANDS = 480
"""Seconds that one stands: RQ's own time for its workers. Who reads it asks the lease, too."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """What one worker process says."""

    process: str
    pid: int
    host: str
    queues: tuple[str, ...]
    threads: int
    tasks: tuple[str, ...]
    """Names of tasks, and of functions that RQ's producers may enqueue; of messages with their versions."""
    digest: str
    code: str
    """`Settings.code_version`."""

    @classmethod
    def of(cls, app: Postroom, process: str, pid: int, queues: tuple[str, ...], threads: int) -> "Announcement":
        """What a process of `app` says. Call it when the app is loaded."""
        signatures = (task.signature for task in app.tasks.values())
        messages = {f"{one.name} {one.version}" for known in signatures if known for one in known.contracts}
        tasks = tuple(sorted({*app.tasks, *app.allowed, *messages}))
        digest = hashlib.blake2b("\0".join(tasks).encode(errors="backslashreplace"), digest_size=6).hexdigest()
        return cls(process, pid, socket.gethostname(), queues, threads, tasks, digest, app.settings.code_version)

    def call(self, space: Keys, *, busy: bool) -> calls.Call[bool]:
        """Say it. `busy`: it runs a job."""
        fields = {
            "queues": ",".join(self.queues),
            "pid": self.pid,
            "hostname": self.host,
            "ip_address": "unknown",
            "state": "busy" if busy else "idle",
            "p:code": self.code,
            "p:tasks": self.digest,
            "p:threads": self.threads,
        }
        return calls.announce(space, self.process, self.queues, fields, self.digest, self.tasks, STANDS)
