"""The duty of telling: each hook hears of dead letters, or of other events, of each job by a job of its own."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from postroom.jobs import calls
from postroom.jobs.app import Postroom
from postroom.jobs.burial import FIELDS, Burial, Entry, Hook, hook_job, is_hook_job
from postroom.jobs.errors import BrokerError, ScriptFailed
from postroom.jobs.events import TASK, keep, task_of
from postroom.jobs.messages import BATCH_JOBS, Placement, batch_of_known
from postroom.jobs.record import Event

TURN = 0.8
"""Seconds for which a hook is one process's: the ids of the jobs would be the same, but not the work of making them."""
ENTRIES = 10
"""Entries of the stream that are read at once; each may name hundreds of jobs."""
BEFORE = 60
"""Seconds before it was first seen of which a new hook is told: what dies while it is deployed is not missed."""


class Tell:
    """Reads the streams of burials and of events for each hook of the app, from where they were read last.

    Args:
        in_turn: leave a hook alone that another process, or this one, has seen to a moment ago. Else it may be done
            twice at once, which costs work and changes nothing.
    """

    every = 1.0

    def __init__(self, *, in_turn: bool = True) -> None:
        self._in_turn = in_turn

    def do(self, app: Postroom) -> None:
        """One round."""
        refused = None
        if any(hook.event for hook in app.hooks.values()):
            app.broker.run(keep(app.keys))
        for name, hook in app.hooks.items():
            try:
                if not self._in_turn or app.broker.run(calls.turn(app.keys, f"hook:{name}", TURN)):
                    while _tell(app, name, hook):
                        pass
            except ScriptFailed as error:
                refused = error  # the other hooks shall be told all the same
        if refused is not None:
            raise refused


def _tell(app: Postroom, name: str, hook: Hook) -> bool:
    """Tell a hook of the next entries; whether there may be more."""
    keys, hooks = app.keys, app.keys.hooks()
    seen, now = app.broker.run_many(
        [calls.Call(("HGET", hooks, name), lambda text: (text or b"").decode()), calls.server_time()]
    )
    start = seen or f"{int((now - BEFORE) * 1000)}-0"
    command = ("XRANGE", keys.record() if hook.event else keys.dead(), f"({start}", "+", "COUNT", ENTRIES)
    rows = app.broker.run(calls.Call(command, list))
    options = app.tasks[name].prepared.options
    made = dict(_events(app, name, hook, rows) if hook.event else _burials(app, name, hook, rows))
    ids = list(made)
    for first in range(0, len(ids), BATCH_JOBS):
        batch = batch_of_known(name, {job_id: made[job_id] for job_id in ids[first : first + BATCH_JOBS]}, options)
        app.broker.run(calls.enqueue(keys, options.queue, batch, Placement.of(options)))
    last = rows[-1][0].decode() if rows else start
    moved = last == seen or app.broker.run(calls.swap(keys, hooks, name, seen, last)) != calls.STALE
    return moved and len(rows) == ENTRIES


Told = Iterator[tuple[str, tuple[Any]]]
"""Jobs of a hook: their ids and their argument."""


def _burials(app: Postroom, name: str, hook: Hook, rows: Sequence[Any]) -> Told:
    """What the hook wants of the entries' jobs. Of a job that is gone by now only id, queue and task are known."""
    named = [(entry, job_id) for entry in (Entry.read(*row) for row in rows) for job_id in entry.jobs]
    stored = app.broker.try_many([calls.read(app.keys, job_id, *FIELDS) for _, job_id in named]) if named else []
    for (entry, job_id), fields in zip(named, stored, strict=True):
        known = {} if isinstance(fields, BrokerError) else fields
        burial = Burial.read(job_id, entry, known)
        if hook.wants(burial):
            yield hook_job(name, entry.id, burial.id), (msgspec.to_builtins(burial),)


def _events(app: Postroom, name: str, hook: Hook, rows: Sequence[Any]) -> Told:
    """What the hook wants of the entries, one for each job; one where a worker or a queue is meant."""
    events = [event for event in (Event.read(*row) for row in rows) if event.event == hook.event]
    wanted = [event for event in events if hook.queue in {"", event.queue}]
    each = [replace(event, jobs=(job_id,)) for event in wanted for job_id in event.jobs if not is_hook_job(job_id)]
    if hook.task:
        stored = app.broker.try_many([calls.read(app.keys, *event.jobs, *TASK) for event in each]) if each else []
        each = [event for event, fields in zip(each, stored, strict=True) if task_of(fields) == hook.task]
    else:
        each += [event for event in wanted if not event.jobs]
    for event in each:
        yield hook_job(name, event.id, "".join(event.jobs), "event"), (msgspec.to_builtins(event),)
