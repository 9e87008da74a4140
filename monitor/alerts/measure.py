"""How things stand with what a rule watches."""

from dataclasses import dataclass

from postroom.jobs import calls
from postroom.jobs.broker import Broker
from postroom.jobs.burial import Entry
from postroom.jobs.calls import Call
from postroom.jobs.times import span
from postroom.monitor import workers
from postroom.monitor.ages import oldest_ages
from postroom.monitor.alerts.rules import Rule

PAGE = 500
"""Entries of the stream of burials that are counted at once."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What was found."""

    bad: bool
    text: str
    """In words."""
    value: float | None = None
    """Jobs, or seconds."""


def measure(broker: Broker, rule: Rule, now: float) -> Measured:
    """Look.

    Args:
        now: by the server's clock.

    Raises:
        BrokerError: the server was not reached, or a key is of a foreign type.
    """
    return _MEASURES[rule.kind](broker, rule, now)


def _dead(broker: Broker, rule: Rule, now: float) -> Measured:
    """Burials within the window, the newest first, and no more than it takes."""
    oldest, newest, count = f"{max(0, int((now - rule.within) * 1000))}-0", "+", 0
    while count < rule.limit:
        command = ("XREVRANGE", broker.keys.dead(), newest, oldest, "COUNT", PAGE)
        entries = broker.run(Call(command, lambda rows: [Entry.read(*row) for row in rows]))
        count += sum(len(entry.jobs) for entry in entries if rule.queue in {"", entry.queue})
        if len(entries) < PAGE:
            break
        newest = f"({entries[-1].id}"
    bad = count >= rule.limit
    more = " or more" if bad else ""
    return Measured(bad, f"{count:,}{more} dead letters{_of(rule)} within {span(rule.within)}", count)


def _expired(broker: Broker, rule: Rule, now: float) -> Measured:
    """Those of the window that are kept still."""
    since, keys = now - rule.within, broker.keys
    asked = [Call(("ZCOUNT", keys.expired(queue), since, "+inf"), int) for queue in _queues(broker, rule)]
    count = sum(broker.run_many(asked))
    jobs = "job has" if count == 1 else "jobs have"
    return Measured(count >= rule.limit, f"{count:,} {jobs} expired{_of(rule)} within {span(rule.within)}", count)


def _oldest(broker: Broker, rule: Rule, now: float) -> Measured:
    ages = oldest_ages(broker, _queues(broker, rule), now)
    if not ages:
        return Measured(False, f"no job waits{_of(rule)}", 0.0)
    queue = max(ages, key=lambda name: ages[name])
    return Measured(
        ages[queue] >= rule.limit, f"a job has waited in queue {queue} for {span(ages[queue])}", ages[queue]
    )


def _no_worker(broker: Broker, rule: Rule, now: float) -> Measured:
    queues = _queues(broker, rule)
    taken = {queue for worker in workers.alive(broker) for queue in worker.queues}
    waiting = broker.run_many([calls.length(broker.keys, queue) for queue in queues])
    # Where no queue is named, those are watched in which jobs wait.
    left = [queue for queue, count in zip(queues, waiting, strict=True) if (rule.queue or count) and queue not in taken]
    if left:
        return Measured(True, f"no live worker takes {'queue' if len(left) == 1 else 'queues'} {', '.join(left)}")
    return Measured(False, f"a worker takes {f'queue {rule.queue}' if rule.queue else 'every queue with jobs'}")


def _needs_upgrade(broker: Broker, rule: Rule, now: float) -> Measured:
    queues = _queues(broker, rule)
    counts = broker.run_many([Call(("ZCARD", broker.keys.declined(queue)), int) for queue in queues])
    waiting = {queue: count for queue, count in zip(queues, counts, strict=True) if count}
    if not waiting:
        return Measured(False, f"no job waits for other code{_of(rule)}", 0)
    where = f"{'queue' if len(waiting) == 1 else 'queues'} {', '.join(waiting)}"
    many = sum(waiting.values())
    text = f"{many:,} {'job waits' if many == 1 else 'jobs wait'} for code that no live worker has, in {where}"
    return Measured(True, text, many)


def _scheduler_silent(broker: Broker, rule: Rule, now: float) -> Measured:
    swept = broker.run(Call(("GET", broker.keys.swept()), lambda text: None if text is None else float(text)))
    if swept is None:
        return Measured(True, "no worker or scheduler ever did the duties")
    silent = max(0.0, now - swept)
    return Measured(silent >= rule.limit, f"the duties were done {span(silent)} ago", silent)


_MEASURES = {
    "dead": _dead,
    "expired": _expired,
    "oldest": _oldest,
    "no_worker": _no_worker,
    "needs_upgrade": _needs_upgrade,
    "scheduler_silent": _scheduler_silent,
}


def _queues(broker: Broker, rule: Rule) -> list[str]:
    return [rule.queue] if rule.queue else broker.run(calls.queue_names(broker.keys))


def _of(rule: Rule) -> str:
    return f" in queue {rule.queue}" if rule.queue else ""
