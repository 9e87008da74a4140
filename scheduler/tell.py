"""The duty of telling: each hook hears of each job that became a dead letter, by a job of its own."""

from collections.abc import Iterator, Sequence

import msgspec

from postroom.jobs import calls
from postroom.jobs.app import Postroom
from postroom.jobs.burial import FIELDS, Burial, Entry, hook_job
from postroom.jobs.errors import BrokerError, ScriptFailed
from postroom.jobs.messages import BATCH_JOBS, Placement, batch_of_known

TURN = 0.8
"""Seconds for which a hook is one process's: the ids of the jobs would be the same, but not the work of making them."""
ENTRIES = 10
"""Entries of the stream that are read at once; each may name hundreds of jobs."""
BEFORE = 60
"""Seconds before it was first seen of which a new hook is told: what dies while it is deployed is not missed."""


class Tell:
    """Reads the stream of burials for each hook of the app, from where it was read last."""

    every = 1.0

    def do(self, app: Postroom) -> None:
        """One round."""
        refused = None
        for name in app.hooks:
            try:
                if app.broker.run(calls.turn(app.keys, f"hook:{name}", TURN)):
                    while _tell(app, name):
                        pass
            except ScriptFailed as error:
                refused = error  # the other hooks shall be told all the same
        if refused is not None:
            raise refused


def _tell(app: Postroom, name: str) -> bool:
    """Tell a hook of the next entries; whether there may be more."""
    keys, hooks = app.keys, app.keys.hooks()
    seen, now = app.broker.run_many(
        [calls.Call(("HGET", hooks, name), lambda text: (text or b"").decode()), calls.server_time()]
    )
    start = seen or f"{int((now - BEFORE) * 1000)}-0"
    command = ("XRANGE", keys.dead(), f"({start}", "+", "COUNT", ENTRIES)
    entries = app.broker.run(calls.Call(command, lambda rows: [Entry.read(*row) for row in rows]))
    options = app.tasks[name].prepared.options
    wanted = _burials(app, name, entries)
    made = {hook_job(name, entry, burial.id): (msgspec.to_builtins(burial),) for entry, burial in wanted}
    ids = list(made)
    for first in range(0, len(ids), BATCH_JOBS):
        batch = batch_of_known(name, {job_id: made[job_id] for job_id in ids[first : first + BATCH_JOBS]}, options)
        app.broker.run(calls.enqueue(keys, options.queue, batch, Placement.of(options)))
    last = entries[-1].id if entries else start
    moved = last == seen or app.broker.run(calls.swap(keys, hooks, name, seen, last)) != calls.STALE
    return moved and len(entries) == ENTRIES


def _burials(app: Postroom, name: str, entries: Sequence[Entry]) -> Iterator[tuple[str, Burial]]:
    """What the hook wants of the entries' jobs. Of a job that is gone by now only id, queue and task are known."""
    named = [(entry, job_id) for entry in entries for job_id in entry.jobs]
    stored = app.broker.try_many([calls.read(app.keys, job_id, *FIELDS) for _, job_id in named]) if named else []
    for (entry, job_id), fields in zip(named, stored, strict=True):
        known = {} if isinstance(fields, BrokerError) else fields
        burial = Burial.read(job_id, entry, known)
        if app.hooks[name].wants(burial):
            yield entry.id, burial
