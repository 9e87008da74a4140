"""Declaring tasks: what is taken, what is refused, and that a declared function stays a plain function."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from tenacity import stop_after_attempt

from postroom import ConfigError, Postroom, Retry
from postroom.jobs.errors import UnknownTask

HERE = __name__
Apps = Callable[[], Postroom]


def add(a: int, b: int = 0) -> int:
    """A sum."""
    return a + b


async def aadd(a: int, b: int) -> int:
    """A sum, later."""
    return a + b


def nest(function: Any) -> Any:
    """A function inside of a function."""

    def inner() -> Any:
        return function()

    return inner


class Mailer:
    """A user's class."""

    @staticmethod
    def send() -> None:
        """A static method is a function, too."""


def test_a_declared_function_stays_a_plain_function(app_without_server: Apps) -> None:
    app = app_without_server()
    declared = app.task(add)
    assert declared is add
    assert declared(2, 3) == 5
    assert declared.task.name == f"{HERE}.add"
    assert app.function(f"{HERE}.add") is add


def test_what_is_declared_is_kept(app_without_server: Apps) -> None:
    retry = Retry(stop=stop_after_attempt(2))
    declared = app_without_server().task(
        queue="mail", timeout=timedelta(seconds=30), result_ttl=60, retry=retry, name="sum"
    )(add)
    task = declared.task
    assert (task.name, task.queue, task.timeout, task.result_ttl) == ("sum", "mail", timedelta(seconds=30), 60)
    assert task.retry is retry


def test_a_static_method_and_a_coroutine_are_tasks(app_without_server: Apps) -> None:
    app = app_without_server()
    app.task(Mailer.send)
    app.task(aadd)
    assert set(app.tasks) == {f"{HERE}.Mailer.send", f"{HERE}.aadd"}


@pytest.mark.parametrize("function", [lambda: None, nest(lambda: None)], ids=["lambda", "nested"])
def test_a_lambda_is_refused(function: Any, app_without_server: Apps) -> None:
    with pytest.raises(ConfigError, match=r"not at the top of a module.*give it a name"):
        app_without_server().task(function)


def test_a_local_function_is_refused_unless_it_has_a_name(app_without_server: Apps) -> None:
    app = app_without_server()

    def local() -> None: ...

    with pytest.raises(ConfigError, match=r"local.*give it a name: @app\.task"):
        app.task(local)
    app.task(name="shop.local")(local)
    assert list(app.tasks) == ["shop.local"]


@pytest.mark.parametrize("thing", [Mailer, 3, "shop.send", Mailer(), len])
def test_what_is_no_function_is_refused(thing: Any, app_without_server: Apps) -> None:
    with pytest.raises(ConfigError, match=r"@app\.task takes a function"):
        app_without_server().task(thing)


@pytest.mark.parametrize(
    ("declared", "named"),
    [
        ({"queue": "a b"}, "queue='a b'"),
        ({"timeout": 0}, "timeout=0"),
        ({"timeout": "5"}, "timeout='5'"),
        ({"result_ttl": -5}, "result_ttl=-5"),
        ({"retry": 3}, "retry=3"),
        ({"name": ""}, "name=''"),
        ({"name": 3}, "name=3"),
        ({"prio": 3}, "no option 'prio'"),
    ],
)
def test_a_bad_declaration_is_named(declared: dict[str, Any], named: str, app_without_server: Apps) -> None:
    app = app_without_server()
    with pytest.raises(ConfigError, match=named):
        app.task(**declared)(add)
    assert not app.tasks


def test_two_functions_of_one_name(app_without_server: Apps) -> None:
    app = app_without_server()
    app.task(name="shop.add")(add)
    with pytest.raises(ConfigError, match=r"two tasks are called 'shop\.add': .*test_app\.py:add and .*:aadd"):
        app.task(name="shop.add")(aadd)
    app.task(name="shop.add")(add)  # the module is imported under a second name


def test_a_task_that_is_not_declared(app_without_server: Apps) -> None:
    with pytest.raises(UnknownTask, match=r"no task 'shop\.send' in this app: declare it with @app\.task"):
        app_without_server().function("shop.send")


def test_plain_functions_are_allowed_by_name_or_as_they_are() -> None:
    app = Postroom("redis://127.0.0.1:1", allow=["os.path.basename"])
    with pytest.raises(UnknownTask):
        app.function("os.path.basename")
    app.load()
    app.allow(add)
    app.allow(f"{HERE}.Mailer.send")
    assert app.function("os.path.basename")("/a/b") == "b"
    assert app.function(f"{HERE}.add") is add
    assert app.function(f"{HERE}.Mailer.send") is Mailer.send


@pytest.mark.parametrize("name", ["nosuch.thing", "os.path.nothing", "os", "os.sep", "", "os..path"])
def test_a_name_to_allow_that_names_no_function(name: str, app_without_server: Apps) -> None:
    with pytest.raises(ConfigError, match=f"{name!r} names no function"):
        app_without_server().allow(name)


def test_a_module_to_include_that_is_not_there() -> None:
    with pytest.raises(ConfigError, match=r"no module named 'shop_of_nobody'"):
        Postroom("redis://127.0.0.1:1", include=["shop_of_nobody.tasks"]).load()


def test_a_single_name_is_not_taken_for_a_list_of_letters() -> None:
    for field in ("include", "allow", "pickle"):
        with pytest.raises(ConfigError, match=rf"{field}='shop\.tasks': give a list"):
            Postroom("redis://127.0.0.1:1", **{field: "shop.tasks"})


def test_options_by_name_come_from_the_task_where_it_is_known(app_without_server: Apps) -> None:
    app = app_without_server()
    app.task(queue="mail", timeout=9)(add)
    assert app.using(f"{HERE}.add").options.queue == "mail"
    assert app.using(f"{HERE}.add", timeout=3).options.timeout == 3
    assert app.using("shop.elsewhere").options.queue == "default"


def test_a_job_id_that_cannot_be_one(app_without_server: Apps) -> None:
    with pytest.raises(ConfigError, match="'a:b' cannot be a job's id"):
        app_without_server().job("a:b")


def test_a_job_id_is_for_one_job(app_without_server: Apps) -> None:
    declared = app_without_server().task(name="shop.add")(add).using(job_id="receipt-42")
    with pytest.raises(ConfigError, match="job_id='receipt-42' is for one job"):
        declared.enqueue_many([(1,)])
    with pytest.raises(ConfigError, match="job_id='receipt-42' is for one job"):
        declared.aenqueue_many([(1,)])
