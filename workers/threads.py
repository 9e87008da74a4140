"""The thread executor: leader and followers.

Jobs wait in one deque, and threads take them from there one at a time. No thread is handed a job: taking one from a
deque costs a tenth of a wake-up, so short jobs stream through the threads that are awake, and more threads are woken
only when jobs take long enough to be worth it.

One thread leads: it claims and settles (consumer.py). When that brings an idle worker a single job, the leader runs it
itself and the lead passes on, so that no thread has to be woken before the job begins. The pattern: Schmidt et al.,
"Leader/Followers", 2000, https://www.dre.vanderbilt.edu/~schmidt/PDF/lf.pdf.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from queue import SimpleQueue

from postroom.workers.line import WaitingLine
from postroom.workers.outcome import Outcome
from postroom.workers.ready import Ready
from postroom.workers.slots import Slot

log = logging.getLogger("postroom.worker")

SHORT = 0.0005
"""Seconds: jobs shorter than this run faster in one thread than in many that take turns."""
SIGNALS = 0.25
"""Seconds between two looks of the waiting main thread at signals that came."""
ALARM = 0.05
"""Seconds between two looks at the threads' alarms."""


class Threads(WaitingLine):
    """One thread for each slot, and one more, so that there is always one to lead.

    Args:
        run: runs one job and never raises.
        done: gets what became of it; called by the threads.
    """

    def __init__(
        self, slots: Sequence[Slot], run: Callable[[Ready, Slot], Outcome], done: Callable[[Outcome], None]
    ) -> None:
        super().__init__()
        self._slots = slots
        self._vacant = deque(slots)
        self._run, self._done = run, done
        # Tokens, not a Condition: its waiter must take two locks before it goes on. A token too many only makes a
        # thread look in vain.
        self._tokens: SimpleQueue[None] = SimpleQueue()
        self._lock = threading.Lock()
        self._asleep = 0
        self._stopping = False
        self._mean = 0.0
        self._lead = threading.Lock()
        self._turn: Callable[[], bool | None] | None = None
        self._end: Future[bool] = Future()
        for i in range(len(slots) + 1):
            threading.Thread(target=self._loop, name=f"postroom-{i}", daemon=True).start()
        threading.Thread(target=self._watch, name="postroom-alarm", daemon=True).start()

    @property
    def free(self) -> int:
        """How many jobs could begin at once."""
        return len(self._vacant)

    @property
    def busy(self) -> int:
        """How many jobs run."""
        return len(self._slots) - len(self._vacant)

    @property
    def lone(self) -> bool:
        """One job waits and none runs: whoever leads will run it, as soon as its turn is over."""
        return self._turn is not None and len(self._ready) == 1 and len(self._vacant) == len(self._slots)

    def lead(self, turn: Callable[[], bool | None]) -> bool:
        """Let the threads call `turn`, one at a time, until it returns True or False, which is returned here.

        Raises:
            Exception: what `turn` raised.
        """
        self._turn = turn
        self._call(1)
        # Not for ever: the kernel may give a signal to any thread, and only this one, the main one, runs its handler.
        while not self._end.done():
            wait([self._end], SIGNALS)
        return self._end.result()

    def give(self, jobs: Sequence[Ready]) -> None:
        """Let the threads have these, in order. For whoever leads."""
        self._ready.extend(jobs)
        if not self.lone:
            self._call(1 - self.busy if self._mean < SHORT else len(self._ready))

    def nudge(self) -> None:
        """What waits has waited long enough: wake a thread for each."""
        self._call(len(self._ready))

    def cancel(self, job_id: str) -> None:
        """Interrupt this job, if it runs here."""
        for slot in self._slots:
            slot.cancel(job_id)

    def stop(self) -> None:
        """Let the threads end when they are done with what they run."""
        self._stopping = True
        for _ in range(len(self._slots) + 1):
            self._tokens.put(None)

    def _call(self, most: int) -> None:
        for _ in range(min(most, self._asleep)):
            self._tokens.put(None)

    def _loop(self) -> None:
        while not self._stopping:
            if self._turn is not None and self._lead.acquire(blocking=False):
                self._lead_on()
                self._call(1)  # somebody else may lead now
            else:
                self._sleep()
            self._stream()

    @property
    def _wanted(self) -> bool:
        """There is something to do for a thread that does nothing."""
        leaderless = self._turn is not None and not self._lead.locked()
        return leaderless or bool(self._ready and self._vacant) or self._stopping

    def _lead_on(self) -> None:
        """Lead until there is a job to run, or the end."""
        try:
            while (turn := self._turn) is not None:
                end = turn()
                if end is not None:
                    self._turn = None
                    self._end.set_result(end)
                if self.lone:
                    return
        except BaseException as error:
            self._turn = None
            self._end.set_exception(error)
        finally:
            self._lead.release()

    def _stream(self) -> None:
        """Run what waits, while there is a slot and something to run."""
        try:
            slot = self._vacant.popleft()
        except IndexError:
            return
        while True:
            try:
                ready = self._ready.popleft()
            except IndexError:
                break
            began = time.perf_counter()
            outcome = self._run(ready, slot)
            self._mean += 0.05 * (time.perf_counter() - began - self._mean)
            self._done(outcome)
        self._vacant.append(slot)

    def _sleep(self) -> None:
        with self._lock:
            self._asleep += 1
        # Whoever calls looks at `_asleep` after the line and the lead, and here it is the other way round: one of both
        # sees the other.
        if not self._wanted:
            self._tokens.get()
        with self._lock:
            self._asleep -= 1

    def _watch(self) -> None:
        while not self._stopping:
            for slot in self._slots:
                slot.ring()
            time.sleep(ALARM)
