"""`postroom events`."""

import pytest

from postroom import Postroom
from tests.integration.programs import Command, Program, until
from tests.integration.test_events import recorded


@pytest.fixture
def two(app: Postroom) -> list[str]:
    """Two jobs of two queues, on the record."""
    recorded(app)
    return [app.enqueue("send", n, queue=queue).id for n, queue in enumerate(("mail", "post"))]


def test_what_is_on_the_record(command: Command, two: list[str]) -> None:
    said = command("events", "--json")
    assert said.code == 0
    assert [one["jobs"] for one in said.lines] == [[job_id] for job_id in two]
    assert {(one["event"], one["worker"]) for one in said.lines} == {("enqueued", "")}
    assert said.lines[0]["at"].endswith("Z")
    shown = command("events", "--queue", "mail").out
    assert f"enqueued     mail  {two[0]}" in shown
    assert two[1] not in shown
    assert len(command("events", "--task", "send", "--since", "1h", "--json").lines) >= 2
    assert command("events", "--event", "finished").out == ""
    after = command("events", "--since", said.lines[0]["id"], "--json").lines
    assert [one["jobs"] for one in after] == [[two[1]]]


def test_many_jobs_are_not_all_shown(command: Command, app: Postroom) -> None:
    recorded(app)
    app.using("send", queue="mail").enqueue_many([(n,) for n in range(9)])
    assert " and 6 more" in command("events").out


def test_a_gap_is_said(command: Command, two: list[str], app: Postroom) -> None:
    with app.broker.client() as client:
        client.xtrim("postroom:record", maxlen=1, approximate=False)
    said = command("events", "--since", "1-0", "--json").lines
    assert (said[0]["event"], said[0]["missed"], len(said)) == ("gap", None, 2)
    assert "gap: an unknown number of entries" in command("events", "--since", "1-0").out


@pytest.mark.parametrize(
    ("given", "said"), [(("--event", "done"), "no event 'done'"), (("--since", "then"), "since='then'")]
)
def test_what_is_wrong(command: Command, given: tuple[str, str], said: str) -> None:
    found = command("events", *given)
    assert (found.code, said in found.err) == (2, True)


def test_following(program: Program, app: Postroom) -> None:
    process = program.start("-m", "postroom", "events", "--follow", "--json")
    with app.broker.client() as client:
        until(lambda: client.exists("postroom:recording"))
        until(lambda: any(one["cmd"] == "xread" for one in client.client_list()))
    job = app.enqueue("send", 1, queue="mail")
    process.says(job.id)
