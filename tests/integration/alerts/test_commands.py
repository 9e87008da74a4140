"""`postroom alerts`, and the duties in real pools."""

import os
import subprocess
import sys

import pytest
import redis

from postroom import Postroom
from postroom.scheduler.recover import Recover
from tests.integration.alerts.conftest import Alerts, Write
from tests.integration.alerts.receiver import SECRET, Receiver, status
from tests.integration.programs import Program, until

SILENT = '[[rule]]\nname="silent"\nscheduler_silent="30s"\ncalm="0s"\n'


def test_list_and_check(alerts: Alerts, write: Write, receiver: Receiver, app: Postroom) -> None:
    write(SILENT)
    assert alerts("list", "--json").lines == [
        {"rule": "silent", "state": "not judged yet", "since": None, "value": None, "text": None}
    ]
    for _ in range(2):
        said = alerts("check", "--json")
        assert said.code == 1
        (row,) = said.lines
        assert (row["rule"], row["state"]) == ("silent", "firing")
    assert receiver.states == ["firing"], "at once, and once"
    listed = alerts("list")
    assert listed.code == 0
    assert "no worker or scheduler ever did the duties" in listed.out.replace("\n", " ")
    Recover().do(app)
    said = alerts("check")
    assert said.code == 0
    assert "ok" in said.out
    assert receiver.states == ["firing", "over"]


def test_test(alerts: Alerts, write: Write, receiver: Receiver, client: redis.Redis) -> None:
    write(SILENT.replace("calm", 'notify=["ops", "log"]\ncalm'))
    said = alerts("test", "silent")
    assert (said.code, said.out) == (0, "ops: 204 No Content\nlog: logged\n")
    assert receiver.got[0].event["type"] == "alert.test"
    receiver.answers = [status(302, location="https://elsewhere.example")]
    said = alerts("test", "silent", "--json")
    assert said.code == 1
    ops, log = said.lines
    assert (ops["target"], ops["took"]) == ("ops", False)
    assert "302" in ops["said"]
    assert log == {"rule": "silent", "target": "log", "took": True, "said": "logged"}
    assert client.keys("postroom:*") == [], "a test changes nothing"


def test_what_is_not_there(alerts: Alerts, write: Write) -> None:
    write(SILENT)
    said = alerts("test", "noisy")
    assert said.code == 1
    assert "'noisy'" in said.err
    assert "silent" in said.err


@pytest.mark.parametrize("verb", [("list",), ("check",), ("test", "r")])
def test_no_file_and_a_wrong_one(verb: tuple[str, ...], alerts: Alerts, write: Write, receiver: Receiver) -> None:
    path = write("").path
    path.unlink()
    said = alerts(*verb)
    assert said.code == 2
    assert "postroom-alerts.toml" in said.err
    path.write_text("[[rule]]\nname='r'\noldest=5")
    said = alerts(*verb)
    assert said.code == 2
    assert f"{path}: rule 'r': oldest=5: " in said.err


def test_no_server(alerts: Alerts, write: Write) -> None:
    write(SILENT)
    assert alerts("check", "--url", "redis://127.0.0.1:1").code == 3


SHOP = """
from postroom import Postroom

app = Postroom()

@app.task(queue="q", retry=None)
def fail():
    raise ValueError("no")
"""
MANY = '[[rule]]\nname="many"\ndead=5\nwithin="6s"\ncalm="0s"\n'


def test_two_pools_and_a_restart_tell_it_once(
    program: Program, write: Write, receiver: Receiver, app: Postroom, client: redis.Redis
) -> None:
    write(MANY)
    program.write("shop.py", SHOP)
    receiver.answers = [status(500)]
    pools = [program.worker("shop:app", OPS_SECRET=SECRET) for _ in range(2)]
    for _ in range(8):
        app.enqueue("shop.fail", queue="q")
    until(lambda: any("ops was not told, again in" in pool.log for pool in pools))
    for pool in pools:
        pool.kill()
    program.worker("shop:app", OPS_SECRET=SECRET)
    until(lambda: receiver.states == ["firing", "firing", "over"])
    assert receiver.got[0].id == receiver.got[1].id
    until(lambda: not client.hlen("postroom:notices"))


@pytest.mark.parametrize("verb", ["worker", "scheduler"])
def test_a_wrong_file_stops_the_start(verb: str, program: Program) -> None:
    program.write("shop.py", SHOP)
    program.write("postroom-alerts.toml", '[[rule]]\nname="many"\ndead="x"\nwithin="5s"\n')
    ended = program.run("-m", "postroom", verb, "shop:app")
    assert ended.returncode == 2
    assert "postroom-alerts.toml: rule 'many': dead='x': " in ended.stderr


def test_no_client_is_imported_where_there_are_no_rules(write: Write) -> None:
    check = (
        "import sys; from postroom import Postroom; from postroom.duties import duties\n"
        "duties(Postroom('redis://x')); print('postroom.monitor.alerts.webhook' in sys.modules)"
    )
    path = write("").path

    def imported() -> str:
        run = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True, env=os.environ)
        return run.stdout.strip()

    assert imported() == "True"
    path.unlink()
    assert imported() == "False"


def test_a_rule_that_cannot_be_judged_keeps_no_notice_from_being_told(
    alerts: Alerts, write: Write, receiver: Receiver, client: redis.Redis
) -> None:
    write('[[rule]]\nname = "d"\ndead = 1\nwithin = "1m"\n[[rule]]\nname = "s"\nscheduler_silent = "1s"\n')
    client.set("postroom:dead", "oops")
    assert alerts("check").code != 0
    assert receiver.states == ["firing"]
