"""Where the demo's jobs go: which server, which queue.

Where no server is named, the demo has an embedded one of its own, in a project folder of its own,
`~/.cache/postroom/demo`. So it works in any folder, even where nothing may be written, it leaves nothing behind there,
and it never mixes with the queues of the project that happens to be around. The server runs on afterwards, so that the
results can be looked at; the demo says how to stop it.

Each run has its own queue, named by its process, so that runs in two terminals have their own workers and numbers.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from postroom.embedded import EmbeddedServer
from postroom.jobs import calls
from postroom.jobs.broker import Broker
from postroom.jobs.errors import ConfigError
from postroom.monitor.counts import count_jobs

BATCH = 500


def own_server() -> EmbeddedServer:
    """The demo's own server; it may not run yet.

    Raises:
        ConfigError: there is no place for its folder.
    """
    try:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        folder = cache.absolute() / "postroom" / "demo"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (OSError, RuntimeError) as error:
        raise ConfigError(
            f"the demo has no place for its server: {error}. "
            "Set XDG_CACHE_HOME to a folder that can be written to, or POSTROOM_REDIS_URL to a server of yours"
        ) from error
    return EmbeddedServer(folder)


def own_queue() -> str:
    """The queue of this run."""
    return f"demo-{os.getpid()}"


def forget_past_runs(broker: Broker) -> None:
    """Delete the queues of the runs that are over, so that at most the last one's are there to be looked at.

    Only for the demo's own server: there a queue is named by a process of this machine.

    Raises:
        Unavailable: the server was not reached.
    """
    names = [name for name in broker.run(calls.queue_names(broker.keys)) if _is_over(name)]
    for counts in count_jobs(broker, names):
        # What a lost worker still holds comes back to its queue first, and goes with the next run.
        if not counts.started:
            _forget(broker, counts.name)


def _forget(broker: Broker, queue: str) -> None:
    keys = broker.keys
    for ids in _ids(broker, queue):
        broker.run_many([calls.delete(keys, job_id) for job_id in ids])
    # The finished jobs themselves expire soon.
    broker.run(calls.Call(("DEL", keys.queue(queue), keys.finished(queue)), int))
    broker.run(calls.Call(("SREM", keys.queues(), keys.queue(queue)), int))


def _ids(broker: Broker, queue: str) -> Iterator[list[str]]:
    """The ids of jobs that would stay for long, in batches."""
    keys = broker.keys
    lists = [calls.Call(("LRANGE", keys.queue(queue), 0, -1), list)]
    lists += [calls.Call(("ZRANGE", registry(queue), 0, -1), list) for registry in (keys.failed, keys.canceled)]
    ids = [job_id.decode() for found in broker.run_many(lists) for job_id in found]
    yield from (ids[start : start + BATCH] for start in range(0, len(ids), BATCH))


def _is_over(queue: str) -> bool:
    named = re.fullmatch(r"demo-(\d{1,9})", queue)
    if named is None:
        return False
    pid = int(named[1])
    if pid == os.getpid():
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        pass
    return False
