"""The thread executor: jobs wait in one deque, threads take them from there one at a time.

No thread is handed a job: taking one from a deque costs a tenth of a wake-up, so short jobs stream through the threads
that are awake, and more threads are woken only when jobs take long enough to be worth it.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from queue import SimpleQueue

from postroom.workers.line import WaitingLine
from postroom.workers.outcome import Outcome
from postroom.workers.ready import Ready
from postroom.workers.slots import Slot

log = logging.getLogger("postroom.worker")

SHORT = 0.0005
"""Seconds: jobs shorter than this run faster in one thread than in many that take turns."""
ALARM = 0.05
"""Seconds between two looks at the threads' alarms."""


class Threads(WaitingLine):
    """One thread for each slot.

    Args:
        run: runs one job and never raises.
        done: gets what became of it; called by the threads.
    """

    def __init__(
        self, slots: Sequence[Slot], run: Callable[[Ready, Slot], Outcome], done: Callable[[Outcome], None]
    ) -> None:
        super().__init__()
        self._slots = slots
        self._run, self._done = run, done
        # Tokens, not a Condition: its waiter must take two locks before it goes on, and that is in every idle worker's
        # latency. A token too many only makes a thread look in vain.
        self._tokens: SimpleQueue[None] = SimpleQueue()
        self._lock = threading.Lock()
        self._idle = 0
        self._stopping = False
        self._mean = 0.0
        for i, slot in enumerate(slots):
            threading.Thread(target=self._loop, args=(slot,), name=f"postroom-{i}", daemon=True).start()
        threading.Thread(target=self._watch, name="postroom-alarm", daemon=True).start()

    @property
    def free(self) -> int:
        """How many threads wait for a job."""
        return self._idle

    @property
    def busy(self) -> int:
        """How many threads run one."""
        return len(self._slots) - self._idle

    def give(self, jobs: Sequence[Ready]) -> None:
        """Let the threads have these, in order."""
        self._ready.extend(jobs)
        self._wake(1 if self._mean < SHORT else len(self._ready))

    def nudge(self) -> None:
        """What waits has waited long enough: wake a thread for each."""
        self._wake(len(self._ready))

    def cancel(self, job_id: str) -> None:
        """Interrupt this job, if it runs here."""
        for slot in self._slots:
            slot.cancel(job_id)

    def stop(self) -> None:
        """Let the threads end when they are done with what they run."""
        self._stopping = True
        self._call(len(self._slots))

    def _wake(self, most: int) -> None:
        if self._ready:
            self._call(min(most, self._idle))

    def _call(self, count: int) -> None:
        for _ in range(count):
            self._tokens.put(None)

    def _loop(self, slot: Slot) -> None:
        while True:
            try:
                ready = self._ready.popleft()
            except IndexError:
                if not self._wait():
                    return
                continue
            began = time.perf_counter()
            outcome = self._run(ready, slot)
            self._mean += 0.05 * (time.perf_counter() - began - self._mean)
            self._done(outcome)

    def _wait(self) -> bool:
        """Wait for something to run; False where there is nothing more to come."""
        with self._lock:
            self._idle += 1
        # Whoever gives looks at `_idle` after the line, and here it is the other way round: one of both sees the other.
        while not self._ready and not self._stopping:
            self._tokens.get()
        with self._lock:
            self._idle -= 1
        return bool(self._ready) or not self._stopping

    def _watch(self) -> None:
        while not self._stopping:
            for slot in self._slots:
                slot.ring()
            time.sleep(ALARM)
