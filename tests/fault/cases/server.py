"""The server: it is killed and comes back, stands still, is full, and forgets its scripts."""

import signal
import threading
import time
from collections.abc import Iterator

from tests.fault.ground import Ground
from tests.fault.scan import scan
from tests.fault.trial import Trial
from tests.fault.verdict import Verdict, some
from tests.integration.programs import Process
from tests.servers import Server

DEADLINE = 5.0
"""Seconds: the default of the settings."""
RESUMED = 2.0
"""Seconds after the server's return until jobs run again, at most."""
HERD = 3
"""How many times as many connections as there were, at most, are made in the first second after the return."""


def restart(ground: Ground) -> Iterator[Verdict]:
    """Killed three times for a moment, then for longer than any deadline; what it acknowledged is on its disk."""
    moment, deadline, long = (0.5, 2.0, 5.0) if ground.short else (1.0, DEADLINE, 60.0)
    with (
        Server("--appendfsync", "always", aof=True) as server,
        Trial("restart", server.url, ground.seed, deadline=deadline) as trial,
    ):
        pool = trial.pool("-p", "2", "-c", "4")
        producer = trial.insist()
        for _ in range(3):
            time.sleep(moment)
            away(trial, server, moment)
        time.sleep(moment)
        before = len(trial.client.client_list())
        back = away(trial, server, long)
        time.sleep(1)
        connections = trial.client.info("stats")["total_connections_received"]
        trial.wait(lambda: resumed(trial, back), 30)
        trial.enough(producer)
        verdict = trial.finish(pool)
        verdict.red += [*repeated(verdict), *unfinished(trial), *told(producer, deadline)]
        first = min((run.at for run in trial.history.all_runs() if run.what == "start" and run.at > back), default=0.0)
        if first - back > RESUMED:
            verdict.red.append(f"the first job ran {first - back:.2f} s after the server's return")
        if connections > HERD * before:
            verdict.red.append(f"{connections} connections in the first second, there were {before}")
        for text in ("Waiting for it to come back", "the server is back"):
            if pool.log.count(text) != 2:
                verdict.red.append(f"two workers said {pool.log.count(text)} times: {text}")
        yield verdict


def pause(ground: Ground) -> Iterator[Verdict]:
    """It stands still for seconds, connections open; calls give up meanwhile and are sent again."""
    seconds = 3 if ground.short else 5
    with Server() as server, Trial("pause", server.url, ground.seed, deadline=1) as trial:
        pool = trial.pool("-p", "2", "-c", "4")
        producer = trial.insist()
        time.sleep(1)
        trial.history.fault("CLIENT-PAUSE")
        trial.client.client_pause(1000 * seconds)
        time.sleep(seconds)
        back = time.time()
        trial.wait(lambda: resumed(trial, back), 30)
        trial.enough(producer)
        verdict = trial.finish(pool)
        verdict.red += [*repeated(verdict), *unfinished(trial), *told(producer, 1)]
        yield verdict


def maxmemory(ground: Ground) -> Iterator[Verdict]:
    """It is full: enqueue is refused, what was acknowledged is run, completed, and recovered from the dead."""
    with (
        Server("--maxmemory-policy", "noeviction") as server,
        Trial("maxmemory", server.url, ground.seed) as trial,
    ):
        pool = trial.pool("-p", "2", "-c", "4")
        trial.produce(300, "work", [0.03], batch=100).wait()
        producer = trial.insist()
        time.sleep(0.5)
        trial.history.fault("maxmemory")
        trial.client.config_set("maxmemory", 1)
        time.sleep(0.2)
        trial.send(trial.children(pool)[0], signal.SIGKILL)
        drained = trial.wait(trial.at_rest, 30)
        events = {one.what for one in trial.history.all_events()}
        trial.client.config_set("maxmemory", 0)
        back = time.time()
        trial.wait(lambda: resumed(trial, back), 30)
        trial.enough(producer)
        verdict = trial.finish(pool, within=1.0)
        if not drained or "recovered" not in events:
            verdict.red.append(f"on a full server: at rest {drained}, events {sorted(events)}")
        if "maxmemory" not in producer.log:
            verdict.red.append("enqueue was never refused")
        verdict.red += unfinished(trial)
        yield verdict


def flush(ground: Ground) -> Iterator[Verdict]:
    """It forgets all scripts every 20 ms, while jobs are enqueued, run and tried again."""
    with Trial("flush", ground.url, ground.seed, queues=2) as trial:
        pool = trial.pool("-p", "2", "-c", "4")
        stopped, count = threading.Event(), 0

        def forget() -> None:
            nonlocal count
            while not stopped.wait(0.02):
                trial.client.script_flush()
                count += 1

        thread = threading.Thread(target=forget)
        thread.start()
        flaky = trial.produce(100, "flaky", [1])
        work = trial.produce(ground.jobs // 2, "work", [0.002], batch=20)
        codes = [flaky.wait(120), work.wait(120)]
        trial.wait(trial.at_rest, 60)
        stopped.set()
        thread.join()
        verdict = trial.finish(pool)
        verdict.red += [*repeated(verdict), *unfinished(trial)]
        if any(codes) or count < 20:
            verdict.red.append(f"producers ended with {codes}, {count} times forgotten")
        yield verdict


# What is common ------------------------------------------------------------------------------------------------------


def away(trial: Trial, server: Server, seconds: float) -> float:
    """Kill it and start it again; when it was back."""
    trial.history.fault("server-killed")
    server.kill()
    time.sleep(seconds)
    server.start()
    return time.time()


def resumed(trial: Trial, back: float) -> bool:
    """Has a job been run since?"""
    return any(run.what == "end" and run.at > back for run in trial.history.all_runs())


def repeated(verdict: Verdict) -> list[str]:
    """Every worker lived, and none was away for a lease while others were not: nothing may run twice."""
    return [f"{verdict.duplicate_runs} ran twice"] if verdict.duplicate_runs else []


def unfinished(trial: Trial) -> list[str]:
    """What was acknowledged and is not finished, by the server's own word."""
    hashes = scan(trial.client, trial.prefix).hashes
    return some(
        "not finished", [one for one in trial.history.all_acked() if hashes.get(one, {}).get("status") != "finished"]
    )


def told(producer: Process, deadline: float) -> list[str]:
    """Where the producer was not told of the outage, or not within its deadline."""
    waits = [float(line.split()[1]) for line in producer.log.splitlines() if line.startswith("unavailable")]
    if not waits or max(waits) > deadline + 1.5 or min(waits) < deadline - 0.1:
        return [f"enqueue gave up after {waits[:5]} s, its deadline is {deadline} s"]
    return []
