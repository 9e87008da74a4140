"""`python -m benchmarks.codecs`: what a job costs in each codec: bytes, time to write and to read, the rate of a drain.

The job takes an order of three lines, a UUID, a time and three Decimals. The codecs have their turns side by side, and
the medians of their turns are told.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from statistics import median
from typing import Any

import click

from benchmarks.apps.postroom_codecs_app import NAMES, app
from benchmarks.apps.postroom_typed_app import ORDER
from benchmarks.machine import load, machine
from benchmarks.servers import Server, programs
from postroom import Postroom
from postroom.jobs.codecs import codec_of, decode_call
from postroom.jobs.messages import batch_of_one

LIMIT = 1_000_000
LOOPS = 2_000
"""Calls of one turn at writing and reading."""
PATIENCE = 120.0
"""Seconds that a drain may take."""


def write(name: str) -> bytes:
    """A call, checked and encoded as `enqueue` does it; its data."""
    prepared = app.tasks[name].prepared
    batch = batch_of_one(
        name, [ORDER], {}, prepared.options, LIMIT, 0.0, signature=prepared.signature, codec=prepared.codec
    )
    data: bytes = batch.jobs[2]
    return data


def read(name: str, data: bytes) -> None:
    """The same as its handler gets it, in two steps: whose it is, and its types."""
    codec = app.tasks[name].prepared.codec
    _, args, kwargs = decode_call(data, codec.name, False, LIMIT)
    signature = app.tasks[name].signature
    if signature is not None:
        signature.read(data, args, kwargs, codec=codec_of(codec.name))


def micros(act: Callable[..., Any], *args: Any) -> float:
    """Microseconds of one call."""
    began = time.perf_counter()
    for _ in range(LOOPS):
        act(*args)
    return (time.perf_counter() - began) / LOOPS * 1e6


def drained(server: Server, name: str, count: int) -> tuple[int, float]:
    """Bytes of the hash of one waiting job; jobs a second that one worker process drains, from the first look on."""
    server.client.flushall()
    producer = replace(app.tasks[name].prepared, counter=Postroom(server.url))
    one = producer.enqueue_many([(ORDER,)] * count)[0]
    size = int(server.client.memory_usage(f"rq:job:{one}"))
    command = [sys.executable, "-m", "postroom", "worker", "benchmarks.apps.postroom_codecs_app:app", "-p", "1"]
    environ = {**os.environ, "POSTROOM_REDIS_URL": server.url}
    worker = subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        first, began, end = 0, 0.0, time.monotonic() + PATIENCE
        while (done := int(server.client.zcard("rq:finished:default"))) < count:
            if done and not first:
                first, began = done, time.perf_counter()
            if time.monotonic() > end:
                raise RuntimeError(f"{name}: {done:,} of {count:,} jobs were drained in {PATIENCE:g} s")
            time.sleep(0.005)
        if not first:
            raise RuntimeError(f"{count:,} jobs are too few to time")
        return size, (count - first) / (time.perf_counter() - began)
    finally:
        worker.terminate()
        worker.wait()


@click.command()
@click.option("--count", type=click.IntRange(1_000), default=20_000, show_default=True, help="Jobs of one drain.")
@click.option("--runs", type=click.IntRange(1), default=5, show_default=True)
def main(count: int, runs: int) -> None:
    """Measure, and print a table."""
    server = Server(programs()["valkey"])
    try:
        click.echo(f"{machine()}; {server.name}; load {load()}; medians of {runs} runs of {count:,} jobs in turn")
        sizes = dict.fromkeys(NAMES, 0)
        rates: dict[str, list[float]] = {name: [] for name in NAMES}
        writes: dict[str, list[float]] = {name: [] for name in NAMES}
        reads: dict[str, list[float]] = {name: [] for name in NAMES}
        datas = {name: write(name) for name in NAMES}
        for _ in range(runs):
            for name, data in datas.items():
                writes[name].append(micros(write, name))
                reads[name].append(micros(read, name, data))
                sizes[name], rate = drained(server, name, count)
                rates[name].append(rate)
        head = "codec | bytes of data | of the job's hash | µs to write | µs to read | jobs/s | of untyped JSON"
        click.echo(f"\n| {head} |\n|---|--:|--:|--:|--:|--:|--:|")
        for name in NAMES:
            share = median(one / other for one, other in zip(rates[name], rates[NAMES[0]], strict=True))
            times = f"{median(writes[name]):.1f} | {median(reads[name]):.1f}"
            told = f"{len(datas[name])} | {sizes[name]} | {times} | {median(rates[name]):,.0f} | {share:.2f}"
            click.echo(f"| {name} | {told} |")
    finally:
        server.close()


if __name__ == "__main__":
    main()
