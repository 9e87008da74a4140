"""Health: does a pool live, and can it take jobs? Asked over HTTP, or by `postroom worker --check`."""

import urllib.error
import urllib.request
from contextlib import suppress

from postroom.jobs.app import Postroom
from postroom.jobs.broker import Broker
from postroom.jobs.errors import BrokerError, ConfigError, PostroomError
from postroom.jobs.settings import Settings
from postroom.workers.record import Record

STALE = 30.0
"""Seconds since a pool's main loop went round, from which on it counts as dead. Jobs do not run there, so that a long
one changes nothing; a worker process that hangs is the pool's to kill."""
HASTE = 1.0
"""Seconds that the server has to answer: a probe does not wait longer itself."""
_WAIT = 5.0
_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - not listened on here


def hasty_broker(app: Postroom) -> Broker:
    """A connection of its own that gives up after HASTE."""
    return Broker(app.broker.url, app.keys, HASTE)


class Health:
    """Of a pool, or of a process that only does the duties, which has no record. '' is well; else what is wrong."""

    def __init__(self, broker: Broker, record: Record | None = None) -> None:
        self._broker, self._record = broker, record

    def alive(self) -> str:
        """Shall this process go on? Not where only a new one would help. The server being away is no reason."""
        looked = self._record.standing().looked if self._record else 0.0
        return f"the pool's main loop has stood still for {looked:.0f} s" if looked > STALE else ""

    def ready(self) -> str:
        """Does it take jobs?"""
        standing = self._record.standing() if self._record else None
        if standing is not None:
            if standing.stopping:
                return "it is stopping"
            if standing.joined < standing.wanted:
                return f"{standing.joined} of {standing.wanted} worker processes have joined"
        try:
            self._broker.ping()
        except BrokerError as error:
            return str(error)
        return self.alive()


def ask(settings: Settings) -> str:
    """What the process of these settings, on this machine, says of its health; '' is well.

    Raises:
        ConfigError: no port is set.
    """
    if not settings.metrics_port:
        raise ConfigError(
            "--check asks the endpoint: set --metrics-port, or POSTROOM_METRICS_PORT, as the worker has it"
        )
    host = _ANYWHERE.get(settings.metrics_host, settings.metrics_host)
    place = f"[{host}]" if ":" in host else host
    url = f"http://{place}:{settings.metrics_port}/healthz"
    # Not by a proxy of the environment: it is this very machine that is asked.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=_WAIT):
            return ""
    except urllib.error.HTTPError as error:
        with suppress(OSError), error:
            return error.read(500).decode(errors="replace").strip() or str(error)
        return str(error)
    except (OSError, ValueError) as error:
        return f"{url} does not answer: {error}"


def check(settings: Settings) -> None:
    """`ask`, and raise PostroomError where something is wrong.

    Raises:
        ConfigError: no port is set.
        PostroomError: it is not well.
    """
    wrong = ask(settings)
    if wrong:
        raise PostroomError(wrong)
