"""A producer that is told no and asks again: `python -m tests.fault.insistent TASK PACE QUEUES ARGS`.

It hands over jobs, one every PACE seconds, until the folder of its case has a file `enough`. What it was told instead
of an acknowledgement it prints: `unavailable SECONDS`, or `refused REASON`.
"""

import json
import os
import sys
import time

from postroom import DuplicateJob, Unavailable
from postroom.jobs.errors import ScriptFailed
from postroom.jobs.task import Prepared
from tests.fault.program import app, history


def main(task: str, pace: float, queues: list[str], args: list[object]) -> None:
    """Hand over jobs on the queues in turn."""
    sent = 0
    while not (history.folder / "enough").exists():
        job_id = f"job-{os.getpid()}-{sent}"
        hand_over(app.using(task, queue=queues[sent % len(queues)], job_id=job_id), args)
        history.acked(job_id)
        sent += 1
        time.sleep(pace)


def hand_over(prepared: Prepared[..., object], args: list[object]) -> None:
    """Until it is acknowledged. Nobody else makes these ids: a duplicate is our own, whose reply was lost."""
    unknown = False
    while True:
        began = time.monotonic()
        try:
            prepared.enqueue(*args)
        except DuplicateJob:
            if not unknown:
                raise
        except Unavailable:
            print(f"unavailable {time.monotonic() - began:.2f}", flush=True)
            unknown = True
            continue
        except ScriptFailed as error:
            print(f"refused {error}", flush=True)
            time.sleep(0.05)
            continue
        return


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), sys.argv[3].split(","), json.loads(sys.argv[4]))
