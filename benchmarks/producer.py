"""A producer in a process of its own: `python -m benchmarks.producer APP ACTION COUNT` prints the seconds it took.

It imports nothing but the app, so that it also runs where no other contender is installed.
"""

import importlib
import sys
import time

ACTIONS = ("one_by_one", "bulk", "read")
"""What every app has, besides `connect()`: functions of a number of jobs."""


def main(app: str, action: str, count: str) -> None:
    """Import the app, connect, and time one action."""
    module = importlib.import_module(app)
    module.connect()
    act = getattr(module, action)
    began = time.perf_counter()
    act(int(count))
    print(time.perf_counter() - began)


if __name__ == "__main__":
    main(*sys.argv[1:])
