"""Hooks of dead letters: how they are declared, and what they are told of."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from postroom import Burial, ConfigError, Postroom
from postroom.jobs.burial import Entry, Hook, hook_job

Apps = Callable[[], Postroom]
BURIAL = Burial("a", "mail", "shop.send", "exhausted", "ValueError: no", "9c1e5a0b77d2", 5, 1000.0)
AS_JSON = msgspec.to_builtins(BURIAL)


def tell(burial: Burial) -> str:
    """A hook."""
    return f"{burial.id} died"


def test_a_hook_stays_a_plain_function_and_its_task_takes_json(app_without_server: Apps) -> None:
    app = app_without_server()
    assert app.on_dead(tell) is tell
    assert list(app.hooks) == [f"{__name__}.tell"]
    task = app.tasks[f"{__name__}.tell"]
    assert task.queue == "alerts"
    assert tell(BURIAL) == task.function(AS_JSON) == "a died"


def test_a_coroutine_function(app_without_server: Apps) -> None:
    app = app_without_server()
    heard: list[Burial] = []

    @app.on_dead(runs_in="late", name="told")
    async def tell(burial: Burial) -> None:
        heard.append(burial)

    assert app.tasks["told"].queue == "late"
    asyncio.run(app.tasks["told"].function(AS_JSON))
    assert heard == [BURIAL]


def test_filters(app_without_server: Apps) -> None:
    app = app_without_server()

    @app.task(name="shop.send")
    def send() -> None: ...

    app.on_dead(name="all")(tell)
    app.on_dead(name="queue", queue="mail")(tell)
    app.on_dead(name="task", task=send)(tell)
    app.on_dead(name="named", task="x")(tell)
    assert app.hooks == {"all": Hook(), "queue": Hook("mail"), "task": Hook("", "shop.send"), "named": Hook("", "x")}
    assert [name for name, hook in app.hooks.items() if hook.wants(BURIAL)] == ["all", "queue", "task"]
    other = msgspec.structs.replace(BURIAL, queue="pdf", task="x")
    assert [name for name, hook in app.hooks.items() if hook.wants(other)] == ["all", "named"]


def test_a_hooks_own_death_is_told_to_nobody() -> None:
    own = msgspec.structs.replace(BURIAL, id=hook_job("shop.tell", "1-0", "a"))
    assert not Hook().wants(own)


def test_the_id_of_its_job_is_that_of_the_death() -> None:
    assert hook_job("tell", "1-0", "a") == hook_job("tell", "1-0", "a")
    assert len({hook_job(*names) for names in (("t", "1-0", "a"), ("u", "1-0", "a"), ("t", "2-0", "a"))}) == 3


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"queue": "no\nline"}, "no\\nline"),
        ({"task": 7}, "task=7"),
        ({"runs_in": "a b\n"}, "a b"),
        ({"retry": 3}, "retry=3"),
    ],
)
def test_what_is_wrong_is_named(given: Any, said: str, app_without_server: Apps) -> None:
    with pytest.raises(ConfigError) as raised:
        app_without_server().on_dead(**given)(tell)
    assert said in str(raised.value)


def test_a_function_that_takes_no_burial_is_refused(app_without_server: Apps) -> None:
    def page() -> None: ...
    def call(number: int, burial: Burial) -> None: ...

    wrong: tuple[Any, ...] = (page, call)
    for function in wrong:
        with pytest.raises(ConfigError, match=f"{function.__name__}.*is called with a Burial"):
            app_without_server().on_dead(name="x")(function)


def test_two_of_one_name(app_without_server: Apps) -> None:
    app = app_without_server()
    app.on_dead(queue="mail")(tell)
    app.on_dead(queue="mail")(tell)  # its module was imported twice
    with pytest.raises(ConfigError, match="two hooks are called"):
        app.on_dead(queue="pdf")(tell)
    with pytest.raises(ConfigError, match="two tasks are called"):
        app.on_dead(name=f"{__name__}.tell")(lambda burial: None)


def test_what_is_not_known_of_a_job_that_is_gone() -> None:
    entry = Entry.read(b"5000-1", [b"queue", b"mail", b"task", b"shop.send", b"jobs", b'["a"]'])
    assert Burial.read("a", entry, {}) == Burial("a", "mail", "shop.send", died=5.0)
    assert Burial.read("a", entry, {"p:task": b"shop.other"}).task == "shop.other"
    for attempts in (b"x", "²".encode(), b"9" * 5000):
        assert Burial.read("a", entry, {"p:attempt": attempts}).attempts == 0


def test_a_record_that_knew_no_tasks() -> None:
    assert Entry.read(b"5000-1", [b"queue", b"mail", b"jobs", b'["a"]']).task == ""
