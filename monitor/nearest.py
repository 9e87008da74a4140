"""What somebody may have meant who named a job, a dead letter or a queue that is not there. Looks at samples only."""

import difflib
from collections.abc import Sequence

from postroom.jobs import calls
from postroom.jobs.broker import Broker

SHOWN = 3
QUEUES = 50
"""Queues whose jobs are looked at."""
EACH = 100
"""Jobs of each place of a queue that are looked at, the newest ones."""
IDS = 5_000
"""Ids in all."""


def nearest(broker: Broker, name: str) -> list[str]:
    """Up to SHOWN names of queues and ids of jobs that are like `name`, the likest first.

    Raises:
        Unavailable: the server was not reached.
    """
    keys = broker.keys
    queues = broker.run(calls.queue_names(keys))
    asked: list[calls.Call[list[str]]] = []
    for queue in queues[:QUEUES]:
        asked.append(calls.Call(("LRANGE", keys.queue(queue), -EACH, -1), calls.texts))
        places = (keys.scheduled, keys.deferred, keys.finished, keys.failed, keys.canceled, keys.declined)
        asked += [_newest(place(queue), EACH) for place in places]
        asked.append(calls.Call(("ZREVRANGE", keys.wip(queue), 0, EACH - 1), _of_claims))
    ids = [job_id for found in broker.run_many(asked) for job_id in found]
    return _like(name, ids, queues)


def nearest_dead(broker: Broker, job_id: str) -> list[str]:
    """Up to SHOWN ids of dead letters that are like `job_id`, the likest first.

    Raises:
        Unavailable: the server was not reached.
    """
    queues = broker.run(calls.queue_names(broker.keys))[:IDS]
    each = IDS // max(1, len(queues))
    found = broker.run_many([_newest(broker.keys.failed(queue), each) for queue in queues])
    return _like(job_id, [one for ids in found for one in ids])


def _like(name: str, ids: Sequence[str], queues: Sequence[str] = ()) -> list[str]:
    begin = [one for one in (*queues, *ids) if one.startswith(name)]
    # Ids are of few characters: two that have nothing to do with each other are half alike.
    like = [
        *difflib.get_close_matches(name, queues, SHOWN),
        *difflib.get_close_matches(name, ids[:IDS], SHOWN, 0.8),
    ]
    return list(dict.fromkeys([*begin, *like]))[:SHOWN]


def _newest(registry: str, count: int) -> calls.Call[list[str]]:
    return calls.Call(("ZREVRANGE", registry, 0, count - 1), calls.texts)


def _of_claims(members: list[bytes]) -> list[str]:
    return [member.rpartition(":")[0] for member in calls.texts(members)]
