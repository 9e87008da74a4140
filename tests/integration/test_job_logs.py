"""What handlers log: kept with the job, read and followed."""

import asyncio
import logging
import signal
import threading
import time
from typing import Any

import pytest

from postroom import Postroom, Secret, current_job
from postroom.jobs import calls
from postroom.jobs.context import current
from postroom.jobs.joblog import LONGEST, follow
from tests.integration.programs import Command, Program, burst, until, working


def reporting() -> int:
    """How many threads of this process send what handlers say."""
    return sum(thread.name == "postroom-progress" for thread in threading.enumerate())


def texts(job: Any) -> list[str]:
    """The lines of its log."""
    return [line.text for line in job.logs()]


def test_threads_and_coroutines_log(app: Postroom, client: Any) -> None:
    @app.task(name="thread", queue="q")
    def thread(number: int) -> None:
        current_job.log.info("charging %d", number)
        current_job.log.warning("slow")
        current_job.log.debug("not said")
        if number == 1:
            raise ConnectionError("again")

    @app.task(name="coroutine", queue="q")
    async def coroutine() -> None:
        await asyncio.sleep(0)
        try:
            raise ValueError("inner")
        except ValueError:
            current_job.log.exception("it failed")

    jobs = [thread.enqueue(2), thread.enqueue(3), coroutine.enqueue()]
    quiet = app.using("thread", queue="q", job_id="quiet")
    burst(app, "q")
    assert [texts(job) for job in jobs[:2]] == [["charging 2", "slow"], ["charging 3", "slow"]]
    (line,) = jobs[2].logs()
    assert line.text.startswith("it failed\nTraceback")
    assert "ValueError: inner" in line.text
    assert (line.level, line.attempt, line.number) == ("ERROR", 1, 1)
    assert abs(line.at - time.time()) < 20
    assert asyncio.run(jobs[0].alogs()) == jobs[0].logs()
    assert 0 < client.ttl(f"rq:job:{jobs[0].id}") <= 500, "its log ends with it"
    assert quiet.options.job_id == "quiet"


def test_attempts_follow_one_another(app: Postroom) -> None:
    @app.task(name="flaky", queue="q")
    def flaky() -> None:
        current_job.log.info("attempt %d", current.get().attempt)
        if current.get().attempt == 1:
            raise ConnectionError("again")

    job = flaky.enqueue()
    with working(app, "q"):
        job.result(20)
    assert [(line.number, line.attempt, line.text) for line in job.logs()] == [
        (1, 1, "attempt 1"),
        (2, 2, "attempt 2"),
    ]


def test_secrets_are_masked_and_nothing_breaks_a_line(app: Postroom) -> None:
    @app.task(name="pay", queue="q")
    def pay(card: Secret[str], password: str) -> None:
        current_job.log.info("card %s, %s\nand \x1b[31m", card, password)
        current_job.log.info("%d", "no number")

    job = pay.enqueue("4242-4242", password="hunter2000")  # noqa: S106
    burst(app, "q")
    first, second = texts(job)
    assert first == "card ***, ***\nand \x1b[31m"
    assert second.startswith("'%d' with ('no number',): TypeError")


def test_the_newest_lines_are_kept(app: Postroom, command: Command) -> None:
    @app.task(name="chatter", queue="q")
    def chatter() -> None:
        for n in range(5_000):
            current_job.log.info("line %d", n + 1)
        current_job.log.info("x" * (LONGEST + 7))

    job = chatter.enqueue()
    burst(app, "q")
    lines = job.logs()
    assert len(lines) <= 1_000
    assert [line.number for line in lines] == list(range(5_002 - len(lines), 5_002))
    assert lines[-2].text == "line 5000"
    assert lines[-1].text == "x" * LONGEST + "… (7 more characters)"
    said = command("logs", job.id)
    assert f"({5_001 - len(lines):,} lines are no longer kept)" in said.err
    assert f"{lines[-1].attempt} INFO" in said.out


def test_lines_come_while_the_job_runs_and_one_follows_them(app: Postroom) -> None:
    go, heard = threading.Event(), list[str]()

    @app.task(name="step", queue="q")
    def step() -> None:
        for n in range(3):
            current_job.log.info("step %d", n)
            assert go.wait(5)
            go.clear()

    job = step.enqueue()
    reader = threading.Thread(target=lambda: heard.extend(line.text for line in follow(app.broker, job.id)))
    reader.start()
    with working(app, "q"):
        for n in range(3):
            until(lambda n=n: f"step {n}" in heard, 5)  # type: ignore[misc]
            go.set()
        reader.join(5)
    assert not reader.is_alive(), "it ends with the job"
    assert heard == ["step 0", "step 1", "step 2"]


def test_who_follows_does_not_poll(app: Postroom, client: Any) -> None:
    job = app.using("nobody", queue="q").enqueue()
    reader = threading.Thread(target=lambda: list(follow(app.broker, job.id)))
    reader.start()
    until(lambda: client.pubsub_numsub("postroom:events")[0][1])
    time.sleep(0.2)
    before = client.info("stats")["total_commands_processed"]
    time.sleep(1)
    assert client.info("stats")["total_commands_processed"] - before <= 2, "these are ours"
    job.cancel()
    reader.join(5)
    assert not reader.is_alive()


def test_a_worker_that_never_logs_sends_nothing_more(app: Postroom, client: Any) -> None:
    @app.task(name="silent", queue="q")
    def silent() -> None:
        assert current_job.log is logging.getLogger("postroom.job")

    job = silent.enqueue()
    before = reporting()
    burst(app, "q")
    assert job.logs() == []
    assert not client.hexists(f"rq:job:{job.id}", "p:logged")
    assert reporting() == before


ISOLATED = """
import os, time
from postroom import Postroom, current_job

app = Postroom()

@app.task(name="iso", queue="q", isolate=True)
def iso(long):
    current_job.log.info("one")
    if long:
        open("going", "w").close()
        time.sleep(60)
    current_job.log.info("two")

@app.task(name="die", queue="q", timeout=60)
def die():
    current_job.log.info("before")
    time.sleep(0.6)
    open("going", "w").close()
    time.sleep(60)
"""


def test_isolated_processes_log(program: Program, app: Postroom, command: Command) -> None:
    program.write("jobs.py", ISOLATED)
    program.worker("jobs:app")
    job = app.using("iso", queue="q").enqueue(False)
    job.result(30)
    assert texts(job) == ["one", "two"]
    found = command("logs", job.id, "--json").lines
    assert [(one["number"], one["level"], one["text"]) for one in found] == [(1, "INFO", "one"), (2, "INFO", "two")]
    assert [line.split()[-1] for line in command("logs", job.id, "-f").out.splitlines()] == ["one", "two"]


def test_what_a_killed_process_said_is_kept(program: Program, app: Postroom, client: Any) -> None:
    program.write("jobs.py", ISOLATED)
    worker = program.worker("jobs:app", "-p", "1")
    job = app.using("die", queue="q").enqueue()
    until((program.folder / "going").exists)
    worker.signal_all(signal.SIGKILL)
    assert texts(job) == ["before"]


def test_a_sending_that_was_overtaken_adds_nothing(app: Postroom, client: Any) -> None:
    client.hset("rq:job:a", mapping={"p:token": 7, "status": "started"})
    line = b'{"at":1.0,"level":"INFO","attempt":1,"text":"x"}\n'
    assert app.broker.run(calls.log(app.keys, "a", 7, 0, 2, line * 2))
    assert not app.broker.run(calls.log(app.keys, "a", 7, 0, 1, line))
    client.hset("rq:job:a", "p:log", b"rubbish\n" + line)
    assert [(found.number, found.text) for found in app.job("a").logs()] == [(2, "x")]


@pytest.mark.parametrize(
    ("given", "code", "said"), [("gone", 1, "is not on the server"), ("a b", 2, "cannot be a job's id")]
)
def test_what_is_wrong(command: Command, given: str, code: int, said: str) -> None:
    found = command("logs", given)
    assert found.code == code
    assert said in found.err
