"""`--log-json`: every line of a pool and of its processes is an object, and those of a job name it."""

import json
import signal

from postroom import Postroom
from tests.integration.programs import Program, until

SHOP = """
import logging
from postroom import Postroom, current_job
app = Postroom()

@app.task(queue="mail", retry=None)
def send(n):
    current_job.log.info("sending %d", n)
    raise ValueError("no \\x1b[2J\\nforged")
"""


def test_every_line_is_json_and_names_the_job(program: Program, app: Postroom) -> None:
    program.write("shop.py", SHOP)
    worker = program.start("-m", "postroom", "worker", "shop:app", "--log-json")
    job = app.enqueue("shop.send", 7, queue="mail")
    until(lambda: job.status() == "failed")
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0
    lines = [json.loads(line) for line in worker.log.splitlines()]
    assert all({"time", "level", "logger", "message", "pid"} <= set(line) for line in lines)
    named = [line for line in lines if line.get("job") == job.id]
    assert {(line["queue"], line["task"], line["attempt"]) for line in named} == {("mail", "shop.send", 1)}
    messages = [line["message"] for line in named]
    assert "sending 7" in messages
    assert any("is a dead letter: ValueError: no \x1b[2J forged" in message for message in messages)


def test_plain_logs_hold_no_control_characters(program: Program, app: Postroom) -> None:
    program.write("shop.py", SHOP)
    app.enqueue("shop.send", 7, queue="mail")
    worker = program.start("-m", "postroom", "worker", "shop:app", "--burst")
    assert worker.wait() == 0
    assert r"no \x1b[2J" in worker.log
    assert "\x1b" not in worker.log
