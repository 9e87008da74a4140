"""Lost words: the connection breaks at every command of every call, before it is sent, after it ran, and late."""

import itertools
import logging
import re
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import redis

from postroom import Job, PostroomError
from tests.fault.callbook import DEADLINE, Session, book, missing
from tests.fault.ground import Ground
from tests.fault.proxy import AFTER, BEFORE, PHASES, Proxy
from tests.fault.verdict import Verdict

_WORD = re.compile(r"[\w-]+")
_ACTION = re.compile(r":[0-9a-f]{12}:")
"""The id of a bulk action on dead letters, in the names of its keys."""
_AT = re.compile(r"\b\d{10}\.\d+\b")
"""A time in a value."""
_TIMES = {
    "created_at",
    "enqueued_at",
    "started_at",
    "ended_at",
    "p:first",
    "worker_name",
    "p:failure:0",
    "p:token",
    "p:nonce",
    "exc_info",
    "p:redriven",
    "p:turn",
    "p:imported",
    "told",
}
"""Fields that no two runs have in common: only that they are there is compared."""


def replies(ground: Ground) -> Iterator[Verdict]:
    """Each call answers, and leaves behind, what it does undisturbed; `acked` counts the broken connections."""
    logging.getLogger("postroom").addHandler(logging.NullHandler())  # what is broken here is told, and not of interest
    began = time.monotonic()
    verdict = Verdict("replies", seed=ground.seed)
    names = set()
    with redis.Redis.from_url(ground.url, protocol=2) as client:
        for name, prepare, call in book():
            names.add(name)
            space = f"replies{len(names)}"
            _, undisturbed = _made(client, ground.url, space, prepare, call, 0, BEFORE)
            for phase in PHASES if not ground.short or name == "LocalWorker.run" else (BEFORE, AFTER):
                for k in itertools.count(1):
                    dropped, got = _made(client, ground.url, space, prepare, call, k, phase)
                    verdict.red += [f"{name}, command {k} dropped {phase}: {told}" for told in differ(undisturbed, got)]
                    if not dropped:
                        break
                    verdict.acked += 1
    verdict.red += [f"no entry for {name}" for name in missing(names)]
    verdict.seconds = round(time.monotonic() - began, 1)
    yield verdict


def differ(wanted: list[str], got: list[str]) -> Iterator[str]:
    """What is not as it is after an undisturbed call."""
    for line in sorted(set(wanted) ^ set(got)):
        yield f"{'without' if line in wanted else 'with'} {line}"
    if sorted(wanted) != sorted(got) and set(wanted) == set(got):
        yield "something twice"


def _made(
    client: "redis.Redis",
    url: str,
    space: str,
    prepare: Callable[..., Any],
    call: Callable[..., Any],
    k: int,
    phase: str,
) -> tuple[bool, list[str]]:
    """Make the call; whether a connection was broken, and what came of it: the answer, then every key of the server."""
    if left := list(client.scan_iter(match=f"*{space}:*", count=1000)):
        client.delete(*left)
    with Proxy(url, k, phase) as proxy:
        session = Session(proxy.url, url, space)
        given = prepare(session)
        client.script_flush()  # so that the call sends its script, too
        began = time.monotonic()
        try:
            answer = _plain(call(given))
        except PostroomError as error:
            answer = f"{type(error).__name__}: {error}"
        finally:
            session.close()
    if time.monotonic() - began > DEADLINE:
        answer += ", after its deadline"
    return proxy.dropped, list(_normal(client, space, f"answer: {answer}"))


def _plain(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(_plain(one) for one in value)}]"
    return value.id if isinstance(value, Job) else repr(value).strip("'")


def _normal(client: Any, space: str, answer: str) -> Iterator[str]:
    """Lines in which ids that were made up are replaced by what their jobs were called with."""
    found: list[tuple[str, Any, str]] = []
    called: dict[str, str] = {}
    for key, kind, held, left in _read(client, space):
        if kind == b"hash":
            fields = {name.decode(): _AT.sub("…", value.decode(errors="replace")) for name, value in held.items()}
            called[key.rpartition(":")[2]] = fields.get("data", "")
            shown: Any = sorted((name, "…" if name in _TIMES else value) for name, value in fields.items())
        elif kind == b"zset" and ":key:" in key:  # a line
            shown = [one.decode() for one, _ in held]
        elif kind == b"list":
            shown = [value.decode() for value in held]
        elif kind == b"zset":
            shown = sorted((one.decode(), _score(at)) for one, at in held)
        elif kind == b"set":
            shown = sorted(held)
        else:
            shown = kind
        found.append((key, shown, "expires" if left > 0 else "stays"))

    def label(text: object) -> str:
        return _WORD.sub(lambda match: f"<{called[match[0]]}>" if match[0] in called else match[0], str(text))

    yield label(answer)
    for key, shown, stay in found:
        # The order of a queue's list and of a line means something; in other sorted sets it is that of times.
        by_time = any(f":{registry}:" in key for registry in ("finished", "failed", "deferred"))
        told = sorted(map(label, shown)) if by_time else label(shown)
        yield f"{label(_ACTION.sub(':…:', key))} = {told}, {stay}"


def _read(client: Any, space: str) -> Iterable[tuple[str, bytes, Any, int]]:
    """Every key: its kind, what it holds, and for how many milliseconds it stays."""
    keys = [raw.decode() for raw in client.scan_iter(match=f"*{space}:*", count=1000)]
    with client.pipeline(transaction=False) as pipe:
        for key in keys:
            pipe.type(key).pttl(key)
        about = pipe.execute()
        for key, kind in zip(keys, about[::2], strict=True):
            if kind == b"hash":
                pipe.hgetall(key)
            elif kind == b"list":
                pipe.lrange(key, 0, -1)
            elif kind == b"zset":
                pipe.zrange(key, 0, -1, withscores=True)
            elif kind == b"set":
                pipe.smembers(key)
            else:
                pipe.exists(key)
        return zip(keys, about[::2], pipe.execute(), about[1::2], strict=True)


def _score(at: float) -> str:
    return "inf" if at == float("inf") else "a time" if at > 0 else str(at)
