"""The thread executor: jobs wait in one deque, threads take them from there one at a time.

No thread is handed a job: taking one from a deque costs a tenth of a wake-up, so short jobs stream through the threads
that are awake, and more threads are woken only when jobs take long enough to be worth it.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable

from postroom.workers.claimed import Claimed
from postroom.workers.outcome import Outcome
from postroom.workers.timeouts import Slot

SHORT = 0.0005
"""Seconds: jobs shorter than this run faster in one thread than in many that take turns."""
TICK = 0.05


class Threads:
    """`count` threads that run what is given.

    Args:
        run: runs one job and never raises.
        done: gets what became of it; called by the threads.
    """

    def __init__(self, count: int, run: Callable[[Claimed, Slot], Outcome], done: Callable[[Outcome], None]) -> None:
        self.ready: deque[Claimed] = deque()
        self.slots = [Slot() for _ in range(count)]
        self._run, self._done = run, done
        self._work = threading.Condition()
        self._idle = 0
        self._stopping = False
        self._mean = 0.0
        self._threads = [
            threading.Thread(target=self._loop, args=(slot,), name=f"postroom-{i}", daemon=True)
            for i, slot in enumerate(self.slots)
        ]
        self._alarm = threading.Thread(target=self._ring, name="postroom-alarm", daemon=True)
        for thread in (*self._threads, self._alarm):
            thread.start()

    @property
    def idle(self) -> int:
        """How many threads wait for a job."""
        return self._idle

    @property
    def busy(self) -> int:
        """How many threads run one."""
        return len(self.slots) - self._idle

    def give(self, jobs: Iterable[Claimed]) -> None:
        """Let the threads have these, in order."""
        self.ready.extend(jobs)
        self.nudge(1 if self._mean < SHORT else len(self.ready))

    def nudge(self, most: int) -> None:
        """Wake up to `most` idle threads, if anything is ready."""
        if self.ready and self._idle:
            with self._work:
                self._work.notify(most)

    def take_back(self) -> list[Claimed]:
        """What no thread has begun."""
        taken = []
        while True:
            try:
                taken.append(self.ready.popleft())
            except IndexError:
                return taken

    def stop(self) -> None:
        """Let the threads end when they are done with what they run."""
        self._stopping = True
        with self._work:
            self._work.notify_all()

    def _loop(self, slot: Slot) -> None:
        while True:
            try:
                job = self.ready.popleft()
            except IndexError:
                if not self._wait():
                    return
                continue
            began = time.perf_counter()
            outcome = self._run(job, slot)
            self._mean += 0.05 * (time.perf_counter() - began - self._mean)
            self._done(outcome)

    def _wait(self) -> bool:
        """Wait for something to run; False where there is nothing more to come."""
        with self._work:
            self._idle += 1
            while not self.ready and not self._stopping:
                self._work.wait()
            self._idle -= 1
            return bool(self.ready) or not self._stopping

    def _ring(self) -> None:
        while not self._stopping:
            for slot in self.slots:
                slot.ring()
            time.sleep(TICK)
