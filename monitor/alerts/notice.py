"""The state of a rule, and the notices that tell of its changes."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec

from postroom.jobs.times import span
from postroom.monitor.alerts.measure import Measured
from postroom.monitor.alerts.rules import Rule


class State(msgspec.Struct, frozen=True):
    """How a rule stands. Times are seconds since the epoch, by the server's clock."""

    firing: bool
    since: float
    text: str
    value: float | None = None
    against: float = 0.0
    """Since when what is found speaks against `firing`; 0: it does not."""
    kind: str = ""
    """Of the rule that it is of."""

    def next(self, rule: Rule, found: Measured, now: float) -> "State":
        """How it stands after this look."""
        against = 0.0 if found.bad == self.firing else self.against or now
        if against and now - against >= (rule.calm if self.firing else rule.lasting):
            return State(found.bad, now, found.text, found.value, kind=rule.kind)
        return State(self.firing, self.since, found.text, found.value, against, rule.kind)


class Notice(msgspec.Struct, frozen=True):
    """What is to be told to one target."""

    id: str
    target: str
    rule: str
    state: str
    """`firing`, `over` or `test`."""
    text: str
    value: float | None
    since: float
    """When the rule fired."""
    at: float
    """When it changed its state."""
    attempt: int = 0
    """Attempts to deliver it that were begun."""
    first: float = 0.0
    """When the first one was."""
    due: float = 0.0
    """None is begun before."""

    @property
    def event(self) -> dict[str, Any]:
        """What a webhook receives, in the form that https://www.standardwebhooks.com recommends."""
        told = {
            "rule": self.rule,
            "state": self.state,
            "text": self.text,
            "value": self.value,
            "since": _iso(self.since),
        }
        return {"type": f"alert.{self.state}", "timestamp": _iso(self.at), "data": told}


def notices(rule: Rule, before: State, after: State) -> Iterator[Notice]:
    """What is to be told of a change: one for each target, with the same ids whoever makes them."""
    if before.firing == after.firing:
        return
    state = "firing" if after.firing else "over"
    text = f"{rule.name}: {after.text}"
    since = after.since if after.firing else before.since
    if not after.firing:
        text = f"over after {span(after.since - since)}: {text}"
    for target in rule.notify:
        mark = hashlib.blake2b(f"{rule.name}\0{state}\0{after.since}\0{target}".encode(), digest_size=12).hexdigest()
        yield Notice(f"alert-{mark}", target, rule.name, state, text, after.value, since, after.since)


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
