"""The time from just before a job is enqueued to its handler's first line, the same for every contender.

The clock is CLOCK_MONOTONIC, which all processes and languages of one machine share; the time travels as an argument.
"""

import asyncio
import functools
import os
import time
from collections.abc import Awaitable, Callable

RATE = 50
"""Jobs a second."""


def stamp(sent: float) -> None:
    """What a handler does: append how long its job was on its way."""
    waited = time.monotonic() - sent
    os.write(_file(), f"{waited:.6f}\n".encode())


def pace(count: int, send: Callable[[float], object]) -> None:
    """Send `count` jobs at an even pace."""
    began = time.monotonic()
    for number in range(count):
        time.sleep(max(0.0, began + number / RATE - time.monotonic()))
        send(time.monotonic())


async def apace(count: int, send: Callable[[float], Awaitable[object]]) -> None:
    """Send `count` jobs at an even pace."""
    began = time.monotonic()
    for number in range(count):
        await asyncio.sleep(max(0.0, began + number / RATE - time.monotonic()))
        await send(time.monotonic())


@functools.cache
def _file() -> int:
    return os.open(os.environ["BENCH_STAMPS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
