"""The duties of alerts: judge the rules, deliver the notices. Apart, so that no slow receiver keeps a rule waiting."""

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

import msgspec
from tenacity import retry_if_not_exception_type, stop_after_attempt, wait_exponential_jitter

from postroom.jobs import calls
from postroom.jobs.app import Postroom
from postroom.jobs.calls import Call
from postroom.jobs.errors import ScriptFailed
from postroom.jobs.failure import Cause, one_line
from postroom.jobs.retry import Retry
from postroom.jobs.times import span
from postroom.monitor.alerts.lanes import Lanes
from postroom.monitor.alerts.measure import measure
from postroom.monitor.alerts.notice import Notice, State, notices
from postroom.monitor.alerts.rules import LOG, Rule, Rules, read_rules
from postroom.monitor.alerts.webhook import NotTaken, Refused, post

log = logging.getLogger("postroom.alerts")

TURN = 1.5
"""Seconds for which the rules are one process's."""
HELD = 30.0
"""Seconds, besides its webhook's timeout, for which a notice is one process's to deliver: time to resolve a name."""
FORGOTTEN = 86_400.0
"""Seconds after which a notice is dropped whose webhook nobody knows any more, or which nobody can read."""
LANE = 5.0
"""Seconds after which no further notice is tried at a receiver in one round."""
RETRY = Retry(
    stop=stop_after_attempt(12),
    wait=wait_exponential_jitter(initial=1, exp_base=4, max=3_600),
    retry=retry_if_not_exception_type(Refused),
)
"""About 1 s, 4 s, 16 s, 64 s, 4 m, 17 m, then every hour: for about five hours."""

T = TypeVar("T", bound=msgspec.Struct)


def duties(path: Path) -> "tuple[Judge, Deliver]":
    """Those that the rules in this file ask for.

    Raises:
        ConfigError: something in it is wrong.
    """
    rules = read_rules(path)
    return Judge(rules), Deliver(rules)


class Judge:
    """Looks at what the rules watch and enters a notice for each that begins to fire, or no longer does."""

    every = 2.0
    """More than Recover's: where nobody did the duties, we do them before we say how long nobody did."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules

    def do(self, app: Postroom) -> None:
        """One round."""
        if app.broker.run(calls.turn(app.keys, "alerts", TURN)):
            judge(app, self._rules)


def judge(app: Postroom, rules: Rules) -> list[tuple[Rule, State]]:
    """Look at all rules now; how they stand.

    Where others do the same at once, one change is made, once: who comes second finds another state than it looked at.

    Raises:
        BrokerError: the server was not reached, or refused.
    """
    judged, refused = [], None
    for rule in rules.rules:
        try:
            judged.append((rule, _judge(app, rule)))
        except ScriptFailed as error:
            refused = error  # the other rules shall be judged all the same
    if refused is not None:
        raise refused
    return judged


def _judge(app: Postroom, rule: Rule) -> State:
    keys = app.keys
    stored, now = app.broker.run_many([_state(app, rule), calls.server_time()])
    before = _read(stored, State)
    if before is None or before.kind != rule.kind:  # a name that another rule had
        before = State(False, now, "")
    after = before.next(rule, measure(app.broker, rule, now), now)
    if _text(after) != stored:
        told = {notice.id: _text(notice) for notice in notices(rule, before, after)}
        app.broker.run(calls.swap(keys, keys.alerts(), rule.name, stored, _text(after), told))
    return after


def states(app: Postroom, rules: Rules) -> list[tuple[Rule, State | None]]:
    """How the rules stood when they were judged last; None: never."""
    stored = app.broker.run_many([_state(app, rule) for rule in rules.rules])
    return [(rule, _read(text, State)) for rule, text in zip(rules.rules, stored, strict=True)]


class Deliver:
    """Delivers the notices whose webhooks this process knows."""

    every = 1.0

    def __init__(self, rules: Rules) -> None:
        self._rules, self._lanes = rules, _lanes(rules)

    def do(self, app: Postroom) -> None:
        """One round. It does not wait for who is slow: that lane goes on beside the next rounds."""
        self._lanes.wait(0)
        _deliver_due(app, self._rules, self._lanes)
        self._lanes.wait(self.every)


def deliver(app: Postroom, rules: Rules) -> None:
    """Try every notice that is due, once.

    Raises:
        BrokerError: the server was not reached, or refused.
    """
    lanes = _lanes(rules)
    _deliver_due(app, rules, lanes)
    lanes.wait()


def _lanes(rules: Rules) -> Lanes:
    """One for each webhook; what has none, the log's notices and those to be dropped, has its own."""
    return Lanes(len(rules.webhooks) + 1)


def _deliver_due(app: Postroom, rules: Rules, lanes: Lanes) -> None:
    """A notice of a rule and target waits for those before it: `firing` that came after `over` would not be true any
    more.
    """
    stored, now = app.broker.run_many([Call(("HGETALL", app.keys.notices()), calls.pairs), calls.server_time()])
    found = sorted((notice.at, text, notice) for text, notice in _readable(app, stored, now))
    first = {(notice.rule, notice.target): (text, notice) for _, text, notice in reversed(found)}
    due: dict[str, list[tuple[str, Notice]]] = {}
    for text, notice in first.values():
        if notice.due <= now and (_knows(rules, notice) or now - notice.at > FORGOTTEN):
            due.setdefault(notice.target if notice.target in rules.webhooks else LOG, []).append((text, notice))
    for target, some in due.items():
        lanes.start(target, partial(_deliver_some, app, rules, some, now - time.time()))


def _readable(app: Postroom, stored: Mapping[bytes, bytes], now: float) -> Iterator[tuple[str, Notice]]:
    """What is stored, as notices. What is none is dropped: at once where it does not say when it was made; else a newer
    version may have made it, whose processes get FORGOTTEN seconds.
    """
    for field, value in stored.items():
        text = value.decode(errors="replace")
        notice = _read(text, Notice)
        if notice is not None and (notice.id.encode(), text.encode()) == (field, value):
            yield text, notice
        elif now - (_read(text, _Dated) or _Dated()).at > FORGOTTEN:
            log.error("notice %s cannot be read and is dropped: %.200s", field.decode(errors="replace"), text)
            app.broker.run(Call(("HDEL", app.keys.notices(), field), int))


class _Dated(msgspec.Struct, frozen=True):
    """What one can still tell of a notice of another version."""

    at: float = 0.0


def _deliver_some(app: Postroom, rules: Rules, due: Sequence[tuple[str, Notice]], ahead: float) -> None:
    began = time.monotonic()
    for text, notice in due:
        if time.monotonic() - began < LANE:
            _deliver(app, rules, text, notice, ahead)


def send(rules: Rules, notice: Notice) -> str:
    """Hand a notice to its target; what came back.

    Raises:
        Refused: it will never be taken.
        NotTaken: not now.
    """
    if notice.target == LOG:
        log.log(logging.WARNING if notice.state == "firing" else logging.INFO, "alert %s", notice.text)
        return "logged"
    if webhook := rules.webhooks.get(notice.target):
        return post(webhook, notice.id, int(time.time()), msgspec.json.encode(notice.event))
    raise Refused("there is no such webhook any more")


def _deliver(app: Postroom, rules: Rules, stored: str, notice: Notice, ahead: float) -> None:
    """Try once. `ahead`: seconds that the server's clock is ahead of ours; others may have waited in front of us."""
    webhook, now = rules.webhooks.get(notice.target), time.time() + ahead
    attempt, first = notice.attempt + 1, notice.first or now
    # It is ours when it is not due for others; where we die over it, it will be.
    held = now + HELD + (webhook.timeout if webhook else 0.0)
    ours = msgspec.structs.replace(notice, attempt=attempt, first=first, due=held)
    if not _swap(app, notice.id, stored, _text(ours)):
        return
    try:
        send(rules, notice)
    except (Refused, NotTaken) as error:
        wait = RETRY.decide(attempt, first - ahead, error)
        told = (notice.target, notice.text, one_line(error))
        if not isinstance(wait, Cause):
            _swap(app, notice.id, _text(ours), _text(msgspec.structs.replace(ours, due=time.time() + ahead + wait)))
            log.warning("%s was not told, again in %s: %s: %s", told[0], span(wait), *told[1:])
            return
        log.error("%s was not told, and will not be: %s: %s", *told)
    app.broker.run(Call(("HDEL", app.keys.notices(), notice.id), int))


def _swap(app: Postroom, notice_id: str, before: str, after: str) -> bool:
    return app.broker.run(calls.swap(app.keys, app.keys.notices(), notice_id, before, after)) != calls.STALE


def _knows(rules: Rules, notice: Notice) -> bool:
    return notice.target == LOG or notice.target in rules.webhooks


def _state(app: Postroom, rule: Rule) -> Call[str]:
    return Call(("HGET", app.keys.alerts(), rule.name), lambda text: (text or b"").decode(errors="replace"))


def _read(text: str, kind: type[T]) -> T | None:
    """What is stored; None where there is none, or another version wrote it so that this one cannot read it."""
    try:
        return msgspec.json.decode(text, type=kind) if text else None
    except msgspec.MsgspecError:
        return None


def _text(value: State | Notice) -> str:
    return msgspec.json.encode(value).decode()
