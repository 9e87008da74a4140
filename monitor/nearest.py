"""What somebody may have meant who named a job or a queue that is not there."""

import difflib

from postroom.jobs import calls
from postroom.jobs.broker import Broker

SHOWN = 3
QUEUES = 50
"""Queues whose jobs are looked at."""
EACH = 100
"""Jobs of each place of a queue that are looked at, the newest ones."""
IDS = 5_000
"""Jobs in all."""


def nearest(broker: Broker, name: str) -> list[str]:
    """Up to SHOWN names of queues and ids of jobs that are like `name`, the likest first. Looks at a sample only.

    Raises:
        Unavailable: the server was not reached.
    """
    keys = broker.keys
    queues = broker.run(calls.queue_names(keys))
    asked: list[calls.Call[list[str]]] = []
    for queue in queues[:QUEUES]:
        asked.append(calls.Call(("LRANGE", keys.queue(queue), -EACH, -1), calls.texts))
        places = (keys.scheduled, keys.deferred, keys.finished, keys.failed, keys.canceled)
        asked += [calls.Call(("ZREVRANGE", place(queue), 0, EACH - 1), calls.texts) for place in places]
        asked.append(calls.Call(("ZREVRANGE", keys.wip(queue), 0, EACH - 1), _of_claims))
    ids = [job_id for found in broker.run_many(asked) for job_id in found][:IDS]
    begin = [one for one in (*queues, *ids) if one.startswith(name)]
    # Ids are of few characters: two that have nothing to do with each other are half alike.
    like = [*difflib.get_close_matches(name, queues, SHOWN), *difflib.get_close_matches(name, ids, SHOWN, 0.8)]
    return list(dict.fromkeys([*begin, *like]))[:SHOWN]


def _of_claims(members: list[bytes]) -> list[str]:
    return [member.rpartition(":")[0] for member in calls.texts(members)]
