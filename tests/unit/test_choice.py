"""Which queue is asked next: in strict order, or in turns by weight."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.jobs.errors import ConfigError
from postroom.workers.choice import Choice, parse_weight
from postroom.workers.worker import Orders


def turns(choice: Choice, count: int, *candidates: str) -> str:
    return "".join(choice.next(candidates) or "-" for _ in range(count))


def test_without_weights_the_first_that_may_have_jobs_comes_first() -> None:
    choice = Choice(["a", "b", "c"])
    assert choice.queues == ("a", "b", "c")
    assert choice.next({"c", "b", "a"}) == "a"
    assert choice.next({"c", "b"}) == "b"
    assert choice.next({"c"}) == "c"
    assert choice.next(set()) is None


def test_with_weights_the_turns_are_spread() -> None:
    assert turns(Choice(["a:3", "b:1"]), 8, "a", "b") == "aabaaaba"
    assert turns(Choice(["a:5", "b:1", "c:1"]), 7, "a", "b", "c") == "aabacaa", "as nginx does"
    assert turns(Choice(["a:1", "b:1"]), 6, "a", "b") == "ababab"


def test_a_queue_without_jobs_takes_no_turn_and_saves_none_up() -> None:
    choice = Choice(["a:3", "b:1"])
    assert turns(choice, 20, "b") == "b" * 20
    assert turns(choice, 20, "a") == "a" * 20
    assert turns(choice, 8, "a", "b").count("b") == 2
    assert choice.next([]) is None


@given(st.lists(st.integers(1, 9), min_size=1, max_size=5))
def test_over_a_whole_round_each_has_the_turns_of_its_weight(weights: list[int]) -> None:
    names = "abcde"[: len(weights)]
    choice = Choice([f"{name}:{weight}" for name, weight in zip(names, weights, strict=True)])
    for _ in range(2):
        taken = turns(choice, sum(weights), *names)
        assert [taken.count(name) for name in names] == weights


def test_a_queue_named_twice_is_one() -> None:
    assert Choice(["a", "b", "a"]).queues == ("a", "b")


@pytest.mark.parametrize(
    ("text", "read"),
    [("high:5", ("high", 5)), ("high", ("high", None)), ("shop:high:5", ("shop:high", 5)), ("a:b", ("a:b", None))],
)
def test_a_weight_is_the_number_after_the_last_colon(text: str, read: tuple[str, int | None]) -> None:
    assert parse_weight(text) == read


@pytest.mark.parametrize("queues", [["a:0"], ["a:-1"], ["a:3", "b"], ["a", "b:3"], [":3"], [""]])
def test_wrong_weights_are_refused(queues: list[str]) -> None:
    with pytest.raises(ConfigError):
        Choice(queues)


def test_more_names_than_an_order_holds_are_refused() -> None:
    """A worker process would die before its first claim, again and again."""
    Orders(queues=tuple(f"{'q' * 50}{n}" for n in range(1_000))).check()
    with pytest.raises(ConfigError, match=r"1,000 queues, whose names take \d\d,\d{3} characters; 60,000 at most"):
        Orders(queues=tuple(f"{'q' * 60}{n}" for n in range(1_000))).check()
