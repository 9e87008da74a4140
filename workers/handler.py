"""Call a handler in the calling thread, under its timeout."""

import asyncio
import inspect
from collections.abc import Coroutine
from typing import Any

from postroom.jobs.errors import JobTimeout
from postroom.workers.ready import Ready
from postroom.workers.slots import Slot

CLEANUP = 0.5
"""Seconds that a coroutine has to clean up when its time is over."""


def call(ready: Ready, slot: Slot, started: float) -> Any:
    """Call the handler, in the job's own context, which the caller has entered.

    Raises:
        JobTimeout: it overran. Everything else is the handler's.
    """
    slot.enter(ready.job.id, ready.job.token, started, ready.timeout)
    try:
        value = ready.function(*ready.args, **ready.kwargs)  # type: ignore[misc]
        if not inspect.iscoroutine(value):
            return value
    finally:
        slot.disarm()
    # The loop's own timer ends a coroutine that waits. The alarm is for one that computes, and comes later, lest it
    # strike asyncio while that is cleaning up.
    slot.enter(ready.job.id, ready.job.token, started, ready.timeout + CLEANUP if ready.timeout > 0 else ready.timeout)
    try:
        return asyncio.run(within(ready.timeout, value))
    finally:
        slot.disarm()


async def within(limit: float, coroutine: Coroutine[Any, Any, Any]) -> Any:
    """A coroutine that waits is not reached by the thread's alarm: it is canceled when its time is over.

    Raises:
        JobTimeout: it was.
    """
    try:
        async with asyncio.timeout(limit if limit > 0 else None) as timer:
            return await coroutine
    except TimeoutError as error:
        if timer.expired():
            raise JobTimeout from error
        raise
