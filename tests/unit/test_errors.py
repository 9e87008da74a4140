"""Errors: one tree, with the builtin that callers expect, and they survive a process pool."""

import pickle
from typing import Any

import pytest

import postroom
from postroom.jobs import errors

RAISED_AT_CALLERS = [
    found for found in vars(errors).values() if isinstance(found, type) and issubclass(found, errors.PostroomError)
]


def test_one_tree() -> None:
    assert all(issubclass(found, Exception) for found in RAISED_AT_CALLERS)
    assert len(RAISED_AT_CALLERS) > 12


@pytest.mark.parametrize(
    ("error", "builtin"),
    [
        (errors.ConfigError, ValueError),
        (errors.EncodeError, TypeError),
        (errors.DecodeError, ValueError),
        (errors.UnknownTask, LookupError),
        (errors.Unavailable, ConnectionError),
        (errors.ResultTimeout, TimeoutError),
        (errors.ResultExpired, LookupError),
        (errors.DuplicateJob, errors.Rejected),
        (errors.JobFailed, errors.ResultError),
    ],
)
def test_the_builtin_that_callers_expect(error: type, builtin: type) -> None:
    assert issubclass(error, builtin)


def test_a_timeout_inside_a_handler_is_no_exception_that_it_would_swallow() -> None:
    assert not issubclass(errors.JobTimeout, Exception)
    assert not issubclass(errors.JobTimeout, errors.PostroomError)


@pytest.mark.parametrize("kind", RAISED_AT_CALLERS)
def test_every_error_survives_pickling(kind: type[errors.PostroomError]) -> None:
    arguments: dict[type, tuple[Any, ...]] = {
        errors.JobFailed: ("job-1", "ValueError: no", "Traceback …"),
        errors.DuplicateJob: ("job-1",),
        errors.TooNew: ("order", 3, 3, 2),
        errors.UnknownSchema: ("avro", "00" * 8, "shop.bill"),
    }
    error = kind(*arguments.get(kind, ("what went wrong",)))
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is kind
    assert str(back) == str(error)
    assert vars(back) == vars(error)


def test_a_duplicate_says_what_to_do() -> None:
    assert "'receipt-42' exists already: wait for it, delete() it first" in str(postroom.DuplicateJob("receipt-42"))


def test_public_names_are_there() -> None:
    assert all(hasattr(postroom, name) for name in postroom.__all__)
