"""A rolling upgrade: three versions of one app, producers and workers deployed apart, in every order."""

import itertools
import json
import shutil
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from postroom.jobs.codecs import CODECS, JSON
from tests.fault.ground import Ground
from tests.fault.trial import Trial
from tests.fault.upgrade import KEPT, SENT
from tests.fault.verdict import Verdict, some
from tests.integration.programs import Process, Program

TREES = Path(__file__).parents[1] / "upgrade"
VERSIONS = (1, 2, 3)
JOBS, SHORT_JOBS = 10_000, 500
"""Orders of one trial."""
STAGES = 5
"""Of one trial: as it was, and after each of four deploys."""

Deploys = Sequence[str]
"""Whose next version comes, one after another: `P`, the producer's, or `W`, the workers'."""


def upgrade(ground: Ground) -> Iterator[Verdict]:
    """All orders in which producers and workers become 2 and then 3; the short form has the two furthest apart. In the
    other codecs than JSON: the one in which every worker meets what is newer than itself.
    """
    orders = sorted(set(itertools.permutations("PPWW")))
    jobs = SHORT_JOBS if ground.short else JOBS
    for deploys in (orders[0], orders[-1]) if ground.short else orders:
        yield played(ground, deploys, jobs, JSON.name)
    for codec in sorted(CODECS.keys() - {JSON.name}):
        yield played(ground, orders[0], jobs, codec)


def played(ground: Ground, deploys: Deploys, jobs: int, codec: str) -> Verdict:
    """One order of deploys, while messages are on their way."""
    named = " ".join(("upgrade", *(() if codec == JSON.name else (codec,)), *deploys))
    with Trial(named, ground.url, ground.seed, queues=2) as trial, ExitStack() as ending:
        programs = {version: installed(trial.folder / f"v{version}", trial.url) for version in VERSIONS}
        for program in programs.values():
            ending.callback(program.close)
        environ = {**trial.environ, "POSTROOM_CODEC": codec}
        produced, worked, first = 1, 1, 0
        share = jobs // STAGES
        workers = programs[1].worker("shop:app", "q0", **environ)
        producers = [produce(programs[1], first, share, environ)]
        for step in deploys:
            first += share
            if step == "P":
                produced += 1
            else:
                # The new ones first: both work side by side for a while, as in a rolling deploy.
                worked, old = worked + 1, workers
                workers = programs[worked].worker("shop:app", "q0", **environ)
                old.signal(signal.SIGTERM)
                assert old.wait(40) == 0, old.log
            producers.append(produce(programs[produced], first, share, environ))
        codes = [one.wait(120) for one in producers]
        last = programs[3].worker("shop:app", "q1", **environ)
        verdict = trial.finish(workers, last, seconds=120)
        verdict.red += [f"a producer ended with {code}" for code in codes if code]
        verdict.red += documents(trial, first + share)
        dead = [job_id for queue in trial.queues for job_id in trial.client.zrange(trial.keys.failed(queue), 0, -1)]
        verdict.red += some("dead", [job_id.decode() for job_id in dead])
        return verdict


def installed(folder: Path, url: str) -> Program:
    """A version's source tree, and an environment of its own for it; what it depends on is lent from here."""
    shutil.copytree(TREES / folder.name, folder)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    (site,) = (folder / "venv/lib").glob("*/site-packages")
    (site / "lent.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    return Program(folder, url, str(folder / "venv/bin/python"))


def produce(program: Program, first: int, count: int, environ: dict[str, str]) -> Process:
    """Start a producer of so many orders."""
    return program.start("-m", "shop", str(first), str(count), **environ)


def documents(trial: Trial, count: int) -> Iterator[str]:
    """What is wrong with the documents at the end of their trips."""
    sent = {number: document for _, number, document in map(json.loads, trial.history.notes(SENT))}
    kept: dict[int, Any] = {number: document for _, number, document in map(json.loads, trial.history.notes(KEPT))}
    if len(sent) != count:
        yield f"{len(sent)} orders were sent, {count} were made"
    yield from some("never came", [str(number) for number in sorted(sent.keys() - kept.keys())])
    yield from some(
        "differ",
        list(
            itertools.chain.from_iterable(
                differences({**sent[number], "note": "noted" if number % 2 else ""}, kept[number], f"order {number}")
                for number in sorted(sent.keys() & kept.keys())
            )
        ),
    )


def differences(sent: Any, kept: Any, path: str) -> Iterator[str]:
    """The places of `sent` that are not in `kept`, or other there."""
    if isinstance(sent, dict) and isinstance(kept, dict):
        for name, value in sent.items():
            if name not in kept:
                yield f"{path}.{name} is lost"
            else:
                yield from differences(value, kept[name], f"{path}.{name}")
    elif isinstance(sent, list) and isinstance(kept, list) and len(sent) == len(kept):
        for place, (one, other) in enumerate(zip(sent, kept, strict=True)):
            yield from differences(one, other, f"{path}[{place}]")
    elif sent != kept:
        yield f"{path}: {sent!r} was sent, {kept!r} came"
