"""A table test of a script: what stood on the server, which call was made, and what must stand there then.

Each row is checked twice over: after the call, and after the very same call was sent again, as the broker does where a
reply was lost. Compared are the reply, what was published, and the whole key space: every key, its value, and how long
it lives. Keys and values of a row are written by hand from docs/internals.md.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import redis

from postroom.jobs.scripts import SCRIPTS, Script
from tests.servers import Server

NOW = 1000
"""The time of every call that does not give another: seconds since the epoch."""
AT = "1970-01-01T00:16:40.000000Z"
"""NOW, as RQ writes it."""

KEYS = {
    "queues": "{rq}queues",
    "queue": "{rq}queue:{queue_name}",
    "job": "{rq}job:{id}",
    "wip": "{rq}wip:{queue_name}",
    "scheduled": "{rq}scheduled:{queue_name}",
    "finished": "{rq}finished:{queue_name}",
    "failed": "{rq}failed:{queue_name}",
    "deferred": "{rq}deferred:{queue_name}",
    "canceled": "{rq}canceled:{queue_name}",
    "held": "{own}held:{process}",
    "leases": "{own}leases",
    "worker": "{rq}worker:{process}",
    "workers": "{rq}workers",
    "tasks": "{own}tasks:{digest}",
    "declined": "{own}declined:{queue_name}",
    "came": "{own}came:{queue_name}",
    "takers": "{rq}workers:{queue_name}",
    "last_token": "{own}token",
    "paused": "{own}paused",
    "swept": "{own}swept",
    "target": "{rq}queue:{target_name}",
    "undo": "{own}undo",
    "hash": "{own}{hash_name}",
    "notices": "{own}notices",
    "stream": "{own}record",
    "recording": "{own}recording",
    "record": "{own}undo:{action}:{queue_name}",
    "schedule": "{own}schedule:{name}",
    "ticks": "{own}ticks",
    "busy": "{own}keys",
    "limits_busy": "{own}limits:busy",
    "permits": "{own}limits:due",
    "expired": "{own}expired:{queue_name}",
    "doomed": "{own}doomed",
}
ARGS = {
    "rq": "rq:",
    "own": "postroom:",
    "process": "w1",
    "queue_name": "q",
    "target_name": "q",
    "action": "A",
    "about": "ABOUT",
    "id": "a",
    "now": NOW,
    "at": AT,
    "digest": "d1",
    "hash_name": "alerts",
    "name": "s",
    **dict.fromkeys(("deadline", "within", "parent", "children"), ""),
}

Space = Mapping[str, Any]
"""Keys and values: str (STRING), dict (HASH), list (LIST), set (SET), ZSet, Stream; `lasting` where they expire."""


class ZSet(dict[str, float]):
    """A ZSET: its members and their scores."""


class Stream(list[dict[str, str]]):
    """A STREAM: its entries. Their ids are the server's own affair; a row may seed one as the field `*`."""


@dataclass(frozen=True, slots=True, eq=False)
class Lasting:
    """A value that expires in about `seconds`."""

    seconds: float
    value: Any

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Lasting) and self.value == other.value and abs(self.seconds - other.seconds) < 5

    __hash__ = None  # type: ignore[assignment]


class FromNow(float):
    """So many seconds from the server's own time, for the rows that leave the clock to it."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, float | str) and abs(time.time() + float(self) - float(other)) < 5

    __hash__ = float.__hash__


@dataclass(frozen=True, slots=True)
class Refused:
    """The server refused the call with an error of this code."""

    code: str


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a script; `jobs` as its header says."""

    script: str
    args: Mapping[str, Any]
    jobs: Sequence[Any] = ()


@dataclass(frozen=True, slots=True)
class Then:
    """What a call leaves: its reply, the key space (None: as it was), the events that it published, and what it told
    which process (`told`: process and id) or the followers of a log (`log:<id>` and how many lines there were).
    """

    reply: Any
    space: Space | None = None
    events: Sequence[Any] = ()
    told: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table: a small specification. `again`: what the very same call leaves when it is sent once more."""

    name: str
    given: Space
    when: Call
    then: Then
    again: Then = field(kw_only=True)


def event(name: str, *jobs: str, queue: str = "q") -> dict[str, Any]:
    """One message on `postroom:events`."""
    return {"event": name, "queue": queue, "jobs": list(jobs)}


def lasting(seconds: float, value: Any) -> Lasting:
    """A value that expires in about `seconds`."""
    return Lasting(seconds, value)


def job(status: str | None, **fields: Any) -> dict[str, str]:
    """The hash of a job of ours; a field `p_token` is `p:token`. None takes a field away."""
    return _hash({"status": status, "data": "[]", "origin": "q", "created_at": "C", "p_type": "j"}, fields)


def rq_job(status: str | None, **fields: Any) -> dict[str, str]:
    """The hash of a job that RQ's producer made."""
    plain = {"status": status, "data": "z", "origin": "q", "created_at": "C", "success_callback_name": ""}
    return _hash(plain, fields)


def _hash(plain: dict[str, Any], fields: dict[str, Any]) -> dict[str, str]:
    found = {**plain, **fields}
    present = {name: str(value) for name, value in found.items() if value is not None}
    return {f"p:{name[2:]}" if name.startswith("p_") else name: value for name, value in present.items()}


class Table:
    """Checks rows on a real server, which it empties for each."""

    def __init__(self, server: Server) -> None:
        self._client = _client(server.url)
        self._listener = self._client.pubsub()
        self._listener.psubscribe("*")
        self._loaded: set[str] = set()

    def close(self) -> None:
        """Close its connections."""
        self._listener.close()
        self._client.close()

    def check(self, row: Row) -> None:
        """Seed, call, compare; then call again and compare again."""
        self._client.flushall()
        self._heard()
        self._seed(row.given)
        before = self.space()
        self._compare(row.when, row.then, before, "the call")
        self._compare(row.when, row.again, self.space(), "the same call again")

    def left_by(self, row: Row, *scripts: Script) -> tuple[list[Any], dict[str, Any]]:
        """Seed, make the row's call with each of these scripts in turn; the replies, and what stands then."""
        self._client.flushall()
        self._seed(row.given)
        replies = [self._send(script, {**ARGS, **row.when.args}, row.when.jobs) for script in scripts]
        self._heard()
        return replies, self.space()

    def space(self) -> dict[str, Any]:
        """Every key that stands on the server, its value and how long it lasts."""
        keys = self._client.keys("*")
        with self._client.pipeline(transaction=False) as pipe:
            for key in keys:
                pipe.type(key).pttl(key)
            kinds = pipe.execute()
            for key, kind in zip(keys, kinds[::2], strict=True):
                _READ[kind](pipe, key)
            values = pipe.execute()
        found = {}
        for key, kind, ttl, value in zip(keys, kinds[::2], kinds[1::2], values, strict=True):
            shaped = _SHAPE[kind](value)
            found[key] = Lasting(ttl / 1000, shaped) if ttl > 0 else shaped
        return found

    def _compare(self, call: Call, then: Then, before: dict[str, Any], which: str) -> None:
        args = {**ARGS, **call.args}
        reply = self._send(SCRIPTS[call.script], args, call.jobs)
        assert (which, reply) == (which, then.reply)
        assert (which, *self._published(args["own"])) == (which, list(then.events), list(then.told))
        assert (which, self.space()) == (which, before if then.space is None else dict(then.space))

    def _send(self, script: Script, args: Mapping[str, Any], jobs: Sequence[Any]) -> Any:
        if script.sha not in self._loaded:
            self._client.script_load(script.source)
            self._loaded.add(script.sha)
        keys = {name: key.format(**args) for name, key in KEYS.items()}
        try:
            return self._client.execute_command(*script.command(keys, args, jobs))
        except redis.ResponseError as error:
            return Refused(str(error).split()[0])

    def _seed(self, space: Space) -> None:
        with self._client.pipeline(transaction=False) as pipe:
            for key, found in space.items():
                value = found.value if isinstance(found, Lasting) else found
                if isinstance(value, str):
                    pipe.set(key, value)
                elif isinstance(value, ZSet):
                    pipe.zadd(key, dict(value))
                elif isinstance(value, dict):
                    pipe.hset(key, mapping=value)
                elif isinstance(value, Stream):
                    for entry in value:
                        fields = dict(entry)
                        pipe.xadd(key, fields, id=fields.pop("*", "*"))
                elif isinstance(value, list):
                    pipe.rpush(key, *value)
                else:
                    pipe.sadd(key, *value)
                if isinstance(found, Lasting):
                    pipe.pexpire(key, int(found.seconds * 1000))
            pipe.execute()

    def _published(self, own: str) -> tuple[list[Any], list[tuple[str, str]]]:
        """The events, in the order of the queues, for a script that speaks of several has no order of its own; and what
        processes were told.
        """
        events, told, control = [], [], f"{own}control:"
        for message in self._heard():
            if message["channel"] == f"{own}events":
                events.append(json.loads(message["data"]))
            else:
                assert message["channel"].startswith((control, f"{own}log:"))
                told.append((message["channel"].removeprefix(control).removeprefix(own), message["data"]))
        return sorted(events, key=lambda found: str(found["queue"])), told

    def _heard(self) -> list[Any]:
        """The answer to a ping comes after all that was published before."""
        self._listener.ping()
        heard = []
        while (message := self._listener.get_message(timeout=5)) is not None and message["type"] != "pong":
            heard.append(message)
        return [message for message in heard if message["type"] == "pmessage"]


def _client(url: str) -> Any:
    """A client; Any, since redis-py types its commands for sync and async at once."""
    return redis.Redis.from_url(url, protocol=2, decode_responses=True)


_READ: dict[str, Any] = {
    "string": lambda pipe, key: pipe.get(key),
    "hash": lambda pipe, key: pipe.hgetall(key),
    "list": lambda pipe, key: pipe.lrange(key, 0, -1),
    "set": lambda pipe, key: pipe.smembers(key),
    "zset": lambda pipe, key: pipe.zrange(key, 0, -1, withscores=True),
    "stream": lambda pipe, key: pipe.xrange(key),
}
_SHAPE: dict[str, Any] = {
    "string": str,
    "hash": dict,
    "list": list,
    "set": set,
    "zset": ZSet,
    "stream": lambda entries: Stream(fields for _, fields in entries),
}
