"""A producer in a process of its own: `python -m benchmarks.producer APP ACTION NUMBER…` prints the seconds it took.

It imports nothing but the app, so that it runs where no other contender is installed.
"""

import asyncio
import importlib
import inspect
import sys
import time
from types import ModuleType

ACTIONS = ("one_by_one", "bulk", "stamps", "naps", "read")
"""What an app has, besides `connect()`: functions of a number of jobs, or coroutine functions."""


def main(app: str, action: str, *numbers: str) -> None:
    """Import the app, connect, and time one action."""
    module = importlib.import_module(app)
    counts = [int(number) for number in numbers]
    if inspect.iscoroutinefunction(module.connect):
        print(asyncio.run(_aact(module, action, counts)))
        return
    module.connect()
    began = time.perf_counter()
    getattr(module, action)(*counts)
    print(time.perf_counter() - began)


async def _aact(module: ModuleType, action: str, counts: list[int]) -> float:
    await module.connect()
    began = time.perf_counter()
    await getattr(module, action)(*counts)
    seconds = time.perf_counter() - began
    await module.close()
    return seconds


if __name__ == "__main__":
    main(*sys.argv[1:])
