"""What is kept of a failed execution: a bounded history, and a fingerprint that only its kind changes."""

import json
from typing import Any

from postroom.jobs.failure import Failure, failures, fingerprint, one_line


def failed(number: int) -> Failure:
    return Failure(number, float(number), number + 0.5, f"E: {number}")


def test_they_are_told_in_the_order_in_which_they_ended() -> None:
    stored = {b"p:failure:%d" % place: failed(number).stored for place, number in enumerate((0, 19, 20, 12, 13))}
    assert [failure.attempt for failure in failures(stored)] == [0, 12, 13, 19, 20]


def test_what_a_newer_version_wrote_is_left_out() -> None:
    stored = {b"p:failure:0": b"[]", b"p:failure:1": b"\xff", b"status": b"failed"}
    stored[b"p:failure:2"] = failed(2).stored
    assert [failure.attempt for failure in failures(stored)] == [2]


def raised(source: str, call: str = "handler()") -> BaseException:
    """What a module of this source raises, from a file of the app's."""
    space: dict[str, Any] = {}
    exec(compile(source, "/srv/shop/tasks.py", "exec"), space)  # noqa: S102
    try:
        eval(call, space)  # noqa: S307
    except Exception as error:
        return error
    raise AssertionError("it raised nothing")


HANDLER = """
def handler(text="no"):
    raise ValueError(text)
"""


def test_a_fingerprint_is_of_the_kind_and_the_place() -> None:
    one = fingerprint(raised(HANDLER))
    assert len(one) == 12
    assert fingerprint(raised(HANDLER, "handler('other text')")) == one
    assert fingerprint(raised("def other():\n    pass\n\n\n" + HANDLER)) == one, "lines of others"
    assert fingerprint(raised(HANDLER.replace("raise", "\n    raise"))) == one, "lines of its own"
    assert fingerprint(raised(HANDLER.replace("ValueError", "KeyError"))) != one
    assert fingerprint(raised(HANDLER.replace("handler", "other"), "other()")) != one


def test_an_error_from_a_library_is_the_apps_who_called_it() -> None:
    source = "import json\ndef handler():\n    json.loads('{')\ndef other():\n    json.loads('{')\n"
    assert fingerprint(raised(source)) != fingerprint(raised(source, "other()"))
    assert fingerprint(raised(source)) == fingerprint(raised(source.replace("'{'", "'[1'")))


def test_without_a_traceback_the_type_is_all() -> None:
    assert fingerprint(ValueError("a")) == fingerprint(ValueError("b")) != fingerprint(KeyError())


def test_one_line_is_bounded_and_fit_for_the_wire() -> None:
    line = one_line(ValueError("no \udcff\n" * 1000))
    assert len(line) <= 500
    json.dumps(line).encode()
    assert "\n" not in line
