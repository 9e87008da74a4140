"""Schedulers that are killed, stopped, and whose clocks are wrong: each tick comes once, at its time."""

import math
import signal
import time
from collections import Counter
from collections.abc import Iterator

from postroom.jobs import calls, timetable
from postroom.jobs.broker import Broker
from postroom.jobs.schedules import Schedule
from tests.fault.cases.controls import control
from tests.fault.ground import Ground
from tests.fault.history import SKEW
from tests.fault.trial import Trial
from tests.fault.unfenced import DAWDLES, IDLE, UNSWAPPED
from tests.fault.verdict import Verdict, judge, some
from tests.integration.programs import Process

PROGRAM = "tests.fault.cron_program:app"
SKEWS = ("0", "30", "-30")
"""Seconds by which the clocks of the schedulers are wrong."""
TICKS, SHORT_TICKS = 10_000, 320
SCHEDULES, SHORT_SCHEDULES = 100, 40
"""Each ticks every second."""
PAUSE = 0.7
"""Seconds between two strokes."""


def cron(ground: Ground) -> Iterator[Verdict]:
    """Three schedulers are struck; then they are only slow, without the compare-and-set, which must be seen."""
    count, schedules = (SHORT_TICKS, SHORT_SCHEDULES) if ground.short else (TICKS, SCHEDULES)
    yield ticked("cron", ground, schedules, count // schedules)
    without = ticked("control cron without compare-and-set", ground, SHORT_SCHEDULES, 8, **{UNSWAPPED: "1"})
    yield control(without, without.duplicate_completions > 0)


def ticked(case: str, ground: Ground, count: int, seconds: int, **environ: str) -> Verdict:
    """So many schedules for so many seconds. Their jobs leave nothing behind: no id in Redis keeps a tick from coming
    twice.
    """
    with Trial(case, ground.url, ground.seed) as trial:
        trial.program = PROGRAM
        pool = trial.pool("-p", "1", "-c", "8", **{IDLE: "1"})
        schedules, first = added(trial, count)
        schedulers = [begun(trial, skew, **environ) for skew in SKEWS]
        strokes = strike(trial, schedulers, first + seconds - 1) if not environ else math.inf
        ended = trial.wait(lambda: min(waited_for(trial).values()) >= first + seconds, 30)
        if environ:  # schedulers that were slow to come up had no chance yet
            trial.wait(lambda: repeated(trial), 60)
        for process in schedulers:
            process.kill()
        time.sleep(0.5)  # what they have sent is heard
        # Nobody ticks any more: what each waits for says which ticks must have been.
        due = waited_for(trial)
        expected = [one.job_id(float(at)) for one in schedules for at in range(first, int(due[one.name]))]
        trial.history.acked(*expected)
        rested = trial.wait(trial.at_rest, 60)
        pool.signal(signal.SIGTERM)
        pool.wait(40)
        trial.recorder.stop()
        verdict = trial.judged(judge(trial.case, trial.seed, trial.history, None))
        verdict.red += some("ran twice", repeated(trial))
        verdict.red += some("came though nobody expected them", sorted(started(trial).keys() - set(expected)))
        verdict.red += [] if ended and rested else [f"all ticks were made: {ended}, and at rest: {rested}"]
        verdict.red += [] if strokes >= min(seconds / 2, 4) else [f"only {strokes} strokes"]
        return verdict


def added(trial: Trial, count: int) -> tuple[list[Schedule], int]:
    """Add schedules by hand; their first tick is the same whole second."""
    broker = Broker(trial.url, trial.keys, 5.0)
    first = math.floor(broker.run(calls.server_time())) + 3
    made = [
        Schedule(name=f"s{n}", task="work", queue="q0", every=1.0, catch_up="all", result_ttl=0) for n in range(count)
    ]
    for one in made:
        assert broker.run(timetable.alter(trial.keys, "add", one.name, float(first), one)) == calls.OK
    broker.close()
    return made, first


def begun(trial: Trial, skew: str, **environ: str) -> Process:
    """A scheduler. One whose clock is wrong stands still between its look and its deed besides: a signal alone hardly
    ever meets it there.
    """
    dawdles = "" if skew == SKEWS[0] else "1"
    return trial.start("-m", "postroom", "scheduler", PROGRAM, **{SKEW: skew, DAWDLES: dawdles, **environ})


def strike(trial: Trial, schedulers: list[Process], until: int) -> int:
    """Kill one and start another in its place, or stop one and let it go on, in turn; how often."""
    strokes, standing = 0, None
    while time.time() < until:
        time.sleep(PAUSE)
        if standing is not None:
            standing.signal(signal.SIGCONT)
        place = trial.random.randrange(len(schedulers))
        if strokes % 2:
            schedulers[place].kill()
            schedulers[place] = begun(trial, SKEWS[place])
            standing = None
        else:
            standing = schedulers[place]
            standing.signal(signal.SIGSTOP)
        strokes += 1
    if standing is not None:
        standing.signal(signal.SIGCONT)
    return strokes


def started(trial: Trial) -> Counter[str]:
    """How often each job has begun."""
    return Counter(run.job_id for run in trial.history.all_runs() if run.what == "start")


def repeated(trial: Trial) -> list[str]:
    """The jobs that have begun more than once."""
    return [job_id for job_id, times in started(trial).items() if times > 1]


def waited_for(trial: Trial) -> dict[str, float]:
    """The tick that each schedule waits for."""
    found = trial.client.zrange(trial.keys.ticks(), 0, -1, withscores=True)
    return {name.decode(): due for name, due in found}
