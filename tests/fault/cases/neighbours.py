"""Neighbours that differ: workers of another version, workers whose clocks are wrong, workers that are cut off."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from postroom.jobs.scripts import SCRIPTS
from postroom.jobs.settings import Settings
from tests.fault.cases.server import repeated, unfinished
from tests.fault.ground import Ground
from tests.fault.history import SKEW
from tests.fault.proxy import Proxy
from tests.fault.trial import PROGRAM, ROOT, Trial
from tests.fault.verdict import Verdict
from tests.integration.programs import Process
from tests.servers import Server

LEASE = 2
CUT = 6.0
"""Seconds without a connection: longer than the lease, and than the duty needs to see that it has ended."""


def versions(ground: Ground) -> Iterator[Verdict]:
    """Old and new workers side by side, all scripts of the old under other addresses; then the old ones go."""
    with Trial("versions", ground.url, ground.seed, queues=2) as trial:
        other = copied(trial.folder / "old")
        old = trial.pool("-p", "2", "-c", "4", PYTHONPATH=f"{other}:{ROOT}")
        new = trial.pool("-p", "2", "-c", "4")
        producer = trial.insist(args=[0.01], pace=0.002)
        flaky = trial.produce(50, "flaky", [2])
        time.sleep(2)
        both = {run.pid for run in trial.history.all_runs()}
        parties = [bool(both & set(trial.children(pool))) for pool in (old, new)]
        old.signal(signal.SIGTERM)
        code = old.wait(40)
        time.sleep(1)
        trial.enough(producer)
        flaky.wait()
        verdict = trial.finish(new)
        verdict.red += [*repeated(verdict), *unfinished(trial)]
        if parties != [True, True] or code:
            verdict.red.append(f"old and new took jobs: {parties}; the old ended with {code}")
        yield verdict


def clocks(ground: Ground) -> Iterator[Verdict]:
    """Clocks an hour ahead and an hour behind: nothing is recovered or promoted early, the dead are recovered.

    time.time() is replaced in the program: under libfaketime 0.9.10 Python's time.sleep() fails with EINVAL.
    """
    with Trial("clocks", ground.url, ground.seed, lease=LEASE) as trial:
        pools = [trial.pool("-p", "2", "-c", "4", **{SKEW: skew}) for skew in ("3600", "-3600")]
        trial.produce(4, "work", [3 * LEASE]).wait()
        trial.produce(100, "flaky", [2]).wait()
        trial.produce(200, "work", [0.01]).wait()
        trial.wait(lambda: len(trial.recorder.ended) == 304, 30)
        early = [one for one in trial.history.all_events() if one.what == "recovered"]
        trial.wait(trial.at_rest, 30)
        trial.produce(20, "work", [1.0]).wait()
        trial.wait(lambda: trial.client.zcard(trial.keys.wip("q0")) >= 16, 5)
        trial.kill_all(pools[0])
        trial.wait(lambda: trial.client.zcard(trial.keys.leases()) == 2, 15)
        verdict = trial.finish(*pools)
        verdict.red += unfinished(trial)
        if early:
            verdict.red.append(f"{len(early)} recovered though their workers lived")
        if not verdict.duplicate_runs:
            verdict.red.append("nobody died with a job")
        yield verdict


def half_open(ground: Ground) -> Iterator[Verdict]:
    """Nothing passes for longer than a lease, and no connection ends: others run the jobs, late words are stale, also
    those that come when their speaker has gone.

    The short form has the proxy only.
    """
    yield from cut_by_proxy(ground)
    yield late_words(ground)
    if ground.short:
        return
    if can_cut():
        yield from cut_in_namespace(ground)
    else:
        sys.stderr.write("half_open: network namespaces are not permitted here; ONLY the proxy was cut\n")


def cut_by_proxy(ground: Ground) -> Iterator[Verdict]:
    """The proxy swallows what is sent: connections are made, and nothing is answered."""
    named = "half_open (proxy)"
    with Trial(named, ground.url, ground.seed, lease=LEASE, deadline=1) as trial, Proxy(ground.url) as proxy:
        inside = trial.pool("-p", "2", "-c", "4", POSTROOM_REDIS_URL=proxy.url)
        yield cut_off(trial, inside, proxy.hold, proxy.release)


def late_words(ground: Ground) -> Verdict:
    """What a process sent on a connection that it gave up comes when the process has gone, for the kernel repeats it
    when the wire is mended: nothing comes of it, and nobody waits for a lease (the default one) to end.
    """
    named = "half_open (late words)"
    with Trial(named, ground.url, ground.seed) as trial, Proxy(ground.url) as proxy:
        gone = trial.pool("-p", "1", "-c", "4", POSTROOM_REDIS_URL=proxy.url)
        trial.produce(40, "work", [0.05]).wait()
        trial.wait(trial.at_rest, 20)
        time.sleep(1.1 * Settings().lease / 6)  # the keeper's first beat
        gone.signal(signal.SIGTERM)
        code = gone.wait(30)
        trial.produce(20, "work").wait()
        late = {name: [one for one in proxy.passed if SCRIPTS[name].sha.encode() in one] for name in ("renew", "claim")}
        for command in (*late["renew"], *late["claim"]):
            proxy.deliver(command)
        leases: Any = trial.client.zrange(trial.keys.leases(), 0, -1)
        other = trial.pool("-p", "1", "-c", "4")
        took = trial.wait(lambda: len(trial.recorder.ended) == 60, 2)
        verdict = trial.finish(other)
        verdict.red += unfinished(trial)
        if code or not all(late.values()):
            verdict.red.append(f"the pool ended with {code}, late: {', '.join(name for name in late if late[name])}")
        if leases:
            verdict.red.append(f"{len(leases)} leases of the dead began anew")
        if not took:
            verdict.red.append("jobs waited for nobody")
        return verdict


def cut_in_namespace(ground: Ground) -> Iterator[Verdict]:
    """The workers' own network loses every packet."""
    with namespace() as (name, link, address):
        port = free_port(address)
        bound = ("--bind", "127.0.0.1", address, "--protected-mode", "no")
        with (
            Server(*bound, port=port) as server,
            Trial("half_open (network namespace)", server.url, ground.seed, lease=LEASE, deadline=1) as trial,
        ):
            enter = ("-c", "import os, sys; os.execvp('ip', ['ip', 'netns', 'exec', *sys.argv[1:]])", name)
            worker = (sys.executable, "-m", "postroom", "worker", PROGRAM, *trial.queues, "-p", "2", "-c", "4")
            inside = trial.start(*enter, *worker, POSTROOM_REDIS_URL=f"redis://{address}:{port}")
            inside.says(" takes ")
            # Our end goes down, theirs only loses its carrier: what they send is dropped, and they are told nothing.
            ends = ("ip", "link", "set", link)
            yield cut_off(trial, inside, lambda: run(*ends, "down"), lambda: run(*ends, "up"))


def cut_off(trial: Trial, inside: Process, cut: Callable[[], object], mend: Callable[[], object]) -> Verdict:
    """Cut one pool off in the midst of its jobs, and let another one outside have them."""
    trial.produce(24, "work", [1.0], batch=24).wait()
    trial.wait(lambda: len(trial.history.all_runs()) >= 8, 10)
    pids = trial.children(inside)
    trial.history.faults("cut", pids)
    cut()
    outside = trial.pool("-p", "2", "-c", "4")
    time.sleep(CUT)
    mend()
    trial.history.faults("mended", pids)
    producer = trial.insist(args=[0.01])
    back = trial.wait(lambda: alive_again(trial, inside), 20)
    trial.enough(producer)
    verdict = trial.finish(inside, outside)
    verdict.red += unfinished(trial)
    if "was not accepted" not in inside.log:
        verdict.red.append("no late word was refused")
    if not verdict.duplicate_runs:
        verdict.red.append("nothing was recovered")
    if not back:
        verdict.red.append("who was cut off took no more jobs")
    return verdict


# What is common ------------------------------------------------------------------------------------------------------


def copied(folder: Path) -> Path:
    """The package in another version: every script has a comment more, so that none has the same address."""
    shutil.copytree(ROOT / "postroom", folder / "postroom", ignore=shutil.ignore_patterns("__pycache__"))
    for room in ("jobs", "workers", "scheduler", "monitor"):
        shutil.copytree(ROOT / room, folder / "postroom" / room, ignore=shutil.ignore_patterns("__pycache__"))
    for script in (folder / "postroom" / "jobs" / "lua").glob("*.lua"):
        script.write_text(f"{script.read_text()}-- of another version\n")
    return folder


def alive_again(trial: Trial, pool: Process) -> bool:
    """Has one of its processes run a job since the newest one of the producer's came?"""
    pids = set(trial.children(pool))
    return any(run.pid in pids and run.job_id.startswith("job-") for run in trial.history.all_runs())


@contextmanager
def namespace() -> Iterator[tuple[str, str, str]]:
    """A network namespace with a wire to here: its name, our end of the wire, our address."""
    mark = secrets.token_hex(3)
    name, near, far = f"pr-{mark}", f"prn{mark}", f"prf{mark}"
    net = f"10.213.{int(mark[:2], 16)}"
    try:
        run("ip", "netns", "add", name)
        run("ip", "link", "add", near, "type", "veth", "peer", "name", far, "netns", name)
        run("ip", "addr", "add", f"{net}.1/24", "dev", near)
        run("ip", "link", "set", near, "up")
        for command in (
            ("addr", "add", f"{net}.2/24", "dev", far),
            ("link", "set", far, "up"),
            ("link", "set", "lo", "up"),
        ):
            run("ip", "-n", name, *command)
        yield name, near, f"{net}.1"
    finally:
        run("ip", "link", "del", near, check=False)
        run("ip", "netns", "del", name, check=False)


def can_cut() -> bool:
    """Are network namespaces permitted here?"""
    if os.geteuid() or shutil.which("ip") is None:
        return False
    name = f"pr-{secrets.token_hex(3)}"
    made = works("ip", "netns", "add", name)
    run("ip", "netns", "del", name, check=False)
    return made


def works(*command: str) -> bool:
    """Did it?"""
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def run(*command: str, check: bool = True) -> None:
    """Run it."""
    subprocess.run(command, capture_output=True, check=check)


def free_port(address: str) -> int:
    """A port that nobody has there."""
    with socket.create_server((address, 0)) as found:
        return int(found.getsockname()[1])
