"""`python -m benchmarks.dead_letters`: `postroom dead` on a million real dead letters.

A worker drains other jobs meanwhile. For each command: its time, the peak of its memory, and how long other clients
wait for a PING.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import redis

from benchmarks.machine import load, machine
from benchmarks.probe import Probe
from benchmarks.servers import Server, programs
from postroom import Postroom
from postroom.jobs.times import rq_time

APP = """
from postroom import Postroom
app = Postroom()
@app.task(queue="busy")
def nothing(): pass
"""
QUEUES = ("mail", "mail", "mail", "pdf", "pdf", "web")
TASKS = ("shop.send_receipt", "shop.render", "shop.charge", "shop.notify")
KINDS = 40
"""Fingerprints."""
YEAR = 365 * 86_400
RATE = 1_000
"""Jobs a second that the worker has to drain meanwhile."""
TRACEBACK = "Traceback (most recent call last):\n" + "".join(
    f'  File "/app/shop/handlers.py", line {line}, in step_{line}\n    value = compute(value, {line})\n'
    for line in range(100, 112)
)


def seed(client: redis.Redis, count: int) -> str:
    """Write dead letters as a burial leaves them; the id of one in the middle."""
    now = time.time()
    for start in range(0, count, 1_000):
        pipe = client.pipeline(transaction=False)
        for number in range(start, min(start + 1_000, count)):
            _seed_one(pipe, number, now - 864_000 * (1 - number / count))
        pipe.execute()
    client.sadd("rq:queues", *(f"rq:queue:{queue}" for queue in (*QUEUES, "busy")))
    return _id(count // 2)


def _id(number: int) -> str:
    return f"{number * 2_654_435_761 % 2**32:08x}{number:016x}"


def _seed_one(pipe: "redis.client.Pipeline", number: int, ended: float) -> None:
    queue, task, kind = QUEUES[number % len(QUEUES)], TASKS[number % len(TASKS)], f"{number % KINDS:012x}"
    reason = f"ConnectionError: order {number} was refused by peer {number % KINDS}"
    started = ended - 0.25
    failure = {
        "attempt": 1,
        "started": started,
        "ended": ended,
        "error": reason,
        "fingerprint": kind,
        "traceback": TRACEBACK,
        "worker": f"worker-{number % 8}",
        "host": "web-1",
        "version": "1.4.2",
        "death": None,
    }
    fields: dict[Any, Any] = {
        "data": json.dumps([task, None, [number], {}]),
        "origin": queue,
        "status": "failed",
        "p:type": "json",
        "created_at": rq_time(started - 2),
        "enqueued_at": rq_time(started - 2),
        "started_at": rq_time(started),
        "ended_at": rq_time(ended),
        "worker_name": f"worker-{number % 8}",
        "p:token": number,
        "exc_info": TRACEBACK,
        "p:reason": reason,
        "p:cause": "exhausted",
        "p:task": task,
        "p:fingerprint": kind,
        "p:attempt": 5,
        "p:failure:0": json.dumps(failure),
    }
    job_id = _id(number)
    pipe.hset(f"rq:job:{job_id}", mapping=fields)
    pipe.expire(f"rq:job:{job_id}", int(ended + YEAR - time.time()))
    pipe.zadd(f"rq:failed:{queue}", {job_id: ended + YEAR})


class Traffic:
    """A worker, and a producer that keeps it at work; and a client that asks every few ms how long it waits."""

    def __init__(self, server: Server, folder: Path) -> None:
        (folder / "busy.py").write_text(APP)
        self.environ = {**os.environ, "POSTROOM_REDIS_URL": server.url}
        self._worker = subprocess.Popen(
            [sys.executable, "-m", "postroom", "worker", "busy:app"],
            cwd=folder,
            env=self.environ,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._app = Postroom(server.url)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._produce)
        self._thread.start()
        self._probe = Probe(server.client)
        self.waits = self._probe.waits

    def waiting(self) -> int:
        """Jobs that the worker has not drained yet."""
        return len(self._app.queue("busy"))

    def close(self) -> None:
        """End both."""
        self._ended.set()
        self._thread.join()
        self._probe.close()
        self._worker.terminate()
        self._worker.wait()

    def _produce(self) -> None:
        while not self._ended.wait(0.1):
            task = self._app.using("busy.nothing", queue="busy", result_ttl=0)
            list(task.enqueue_many(() for _ in range(RATE // 10)))


def commands(one: str, folder: Path) -> Iterator[tuple[str, list[str]]]:
    """What is measured, in an order in which each finds all of them."""
    file = str(folder / "dead.jsonl")
    yield "list", []
    yield "list", ["--error", "order 1234567890"]
    yield "list", ["--fingerprint", f"{KINDS - 1:012x}"]
    yield "list", ["--group-by", "fingerprint"]
    yield "show", [one]
    yield "export", ["-o", file]
    yield "redrive", ["--task", TASKS[0], "--yes"]
    yield "undo", ["--yes"]
    yield "redrive", ["--all", "--yes"]
    yield "undo", ["--yes"]
    yield "purge", ["--all", "--yes"]
    yield "undo", ["--yes"]


@click.command()
@click.option("--count", type=click.IntRange(1_000), default=1_000_000, show_default=True)
@click.option("--only", multiple=True, metavar="VERB", help="Only these verbs.")
def main(count: int, only: tuple[str, ...]) -> None:
    """Measure, and print a table."""
    with Server(programs()["valkey"]) as server, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        one = seed(server.client, count)
        click.echo(
            f"{machine()}; {server.name}; load {load()}; {server.memory() / 1e9:.1f} GB of {count:,} dead letters"
        )
        traffic = Traffic(server, folder)
        time.sleep(3)
        click.echo(
            "\n| command | seconds | peak MB | another client waits, ms: median / p99 / longest |\n|---|---|---|---|"
        )
        click.echo(f"| (nothing) | 3.0 | | {traffic.waits()} |")
        try:
            for verb, options in commands(one, folder):
                if not only or verb in only:
                    _measure(verb, options, traffic, folder)
        finally:
            waiting = traffic.waiting()
            traffic.close()
        click.echo(f"\n{RATE:,} other jobs a second were drained meanwhile; {waiting} waited at the end.")


def _measure(verb: str, options: list[str], traffic: Traffic, folder: Path) -> None:
    traffic.waits()
    log, peak = folder / "log", 0
    with log.open("wb") as output:
        began = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-m", "postroom", "dead", verb, *options],
            cwd=folder,
            env=traffic.environ,
            stdout=output,
            stderr=output,
        )
        while process.poll() is None:
            peak = max(peak, _peak(process.pid))
            time.sleep(0.01)
    seconds = time.monotonic() - began
    if process.returncode:
        raise click.ClickException(log.read_text()[-2_000:])
    shown = " ".join([verb, *options]).replace(f"{folder}/", "")
    click.echo(f"| `dead {shown}` | {seconds:.1f} | {peak / 1e6:.0f} | {traffic.waits()} |")
    click.echo(f"  {log.read_text().strip().splitlines()[-1][:150]}", err=True)


def _peak(pid: int) -> int:
    """The most memory of a process so far, in bytes."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    found = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(found[0]) * 1024 if found else 0


if __name__ == "__main__":
    main()
