"""docs/other-languages.md: its programs are run as they stand there, and what it says of them is tried."""

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from postroom import JobFailed, Postroom, ResultTimeout
from tests.integration.programs import burst, working
from tests.servers import Server

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/other-languages.md").read_text()
MODULES = ROOT / ".node/node_modules"


def listing(language: str) -> str:
    """The page's program in a language."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    assert found.count("\n") < 20
    return str(found)


def needs(there: object, what: str, how: str) -> None:
    """Skip where a tool is missing; CI must have it."""
    if not there:
        assert "CI" not in os.environ, f"CI lacks {what}"
        pytest.skip(f"NOT TRIED: {what} is not here; {how}")


@pytest.fixture(scope="module")
def reached() -> Iterator[Server]:
    """A server on a port, as other clients know it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with Server(port=port) as server:
        yield server


@pytest.fixture
def shop(reached: Server) -> Iterator[Postroom]:
    """The consumer."""
    with reached.client() as client:
        client.flushall()
    app = Postroom(reached.url)

    @app.task(name="shop.receipt", queue="mail")
    def receipt(order_id: int, copy: bool = False) -> list[object]:
        return [order_id, copy]

    yield app
    app.broker.close()


def run(*command: str | Path, url: str, folder: Path) -> str:
    """What it prints."""
    environ = {**os.environ, "REDIS_URL": url}
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_from_a_shell(shop: Postroom, reached: Server, tmp_path: Path) -> None:
    needs(shutil.which("redis-cli"), "redis-cli", "apt-get install redis-tools")
    *_, job_id = run("sh", "-c", listing("sh"), url=reached.url, folder=tmp_path).split()
    job = shop.job(job_id)
    with pytest.raises(ResultTimeout):
        job.result(0)
    event = job.cloudevent()
    assert (event["type"], event["source"]) == ("shop.receipt", "/rq/queue/mail")
    with reached.client() as client:
        assert client.smembers("rq:queues") == {b"rq:queue:mail"}
        burst(shop)
        assert job.result(0) == [42, True]
        client.rpush("rq:queue:mail", job_id)  # sent again
    burst(shop)
    assert job.status() == "finished"


def test_from_node(shop: Postroom, reached: Server, tmp_path: Path) -> None:
    needs(shutil.which("node"), "node", "apt-get install nodejs npm")
    needs((MODULES / "redis").exists(), "the npm package redis", "npm install --prefix .node redis@5")
    (tmp_path / "node_modules").symlink_to(MODULES)
    (tmp_path / "produce.mjs").write_text(listing("js"))
    with working(shop):
        assert run("node", "produce.mjs", url=reached.url, folder=tmp_path) == "[ 42, true ]\n"


def test_a_job_for_later(shop: Postroom, reached: Server) -> None:
    with reached.client() as client, working(shop):
        fields = {"p:type": "json", "data": '["shop.receipt",null,[1],{}]', "status": "scheduled", "origin": "mail"}
        client.hset("rq:job:later", mapping=fields)
        client.zadd("rq:scheduled:mail", {"later": client.time()[0] + 1})
        client.sadd("rq:queues", "rq:queue:mail")
        assert shop.job("later").result(10) == [1, False]


GOOD = {"p:type": "application/json", "data": '["shop.receipt",null,[1],{}]', "created_at": "2026-11-26T07:17:09Z"}


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"p:type": "yaml"}, "p:type='yaml': this content type is not known here: json, msgpack"),
        ({"data": None}, "the job's hash has no data: write [name, null, args, kwargs] there, as JSON"),
        ({"data": '{"order_id":1}'}, "data is not a call [name, null, args, kwargs]"),
        ({"data": "shop.receipt 1"}, "data is not JSON"),
        ({"data": '["shop.receipt",null,["one"],{}]'}, "shop.receipt: order_id: expected `int`, got `str`"),
        ({"created_at": "yesterday"}, "created_at='yesterday' is no date"),
        ({"timeout": "soon"}, "timeout=b'soon' is no number of seconds"),
    ],
)
def test_what_is_wrong_is_a_dead_letter_that_names_the_field(
    wrong: dict[str, Any], told: str, shop: Postroom, reached: Server
) -> None:
    fields = {name: value for name, value in {**GOOD, **wrong}.items() if value is not None}
    with reached.client() as client:
        for job_id, mapping in (("bad", fields), ("good", GOOD)):
            client.hset(f"rq:job:{job_id}", mapping=mapping)
            client.rpush("rq:queue:mail", job_id)
        burst(shop)
        assert client.hget("rq:job:bad", "p:cause") == b"undecodable"
    with pytest.raises(JobFailed, match=re.escape(told)):
        shop.job("bad").result(0)
    assert shop.job("good").result(0) == [1, False]
