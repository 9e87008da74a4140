"""Secrets: which arguments are masked, and what is taken out of texts."""

from typing import Any

import pytest

from postroom import Secret
from postroom.integrations.sentry_scrubber import scrubbed
from postroom.jobs.secrets import MASK, NAMES, Veil, mask_arguments, names_of, scrub, secret_values


def handler(order: int, pin: Secret[str], *rest: int, note: "Secret[str] | None" = None, api_key: str = "") -> None:
    """A task."""


def unresolved(order: "Nowhere", pin: "Secret[str]") -> None:  # type: ignore[name-defined]  # noqa: F821
    """A task whose annotations only type checkers can read."""


def many(*pins: Secret[str], **more: Secret[Any]) -> None:
    """A task all of whose arguments are secret."""


@pytest.mark.parametrize(
    ("function", "args", "kwargs", "shown"),
    [
        (handler, (7, "hidden", 8), {"note": "n", "api_key": "k"}, ([7, MASK, 8], {"note": MASK, "api_key": MASK})),
        (handler, (7,), {"pin": "hidden"}, ([7], {"pin": MASK})),
        (handler, ({"user": [{"X-Api-Key": 1, "id": 2}]},), {}, ([{"user": [{"X-Api-Key": MASK, "id": 2}]}], {})),
        (unresolved, (7, "hidden"), {}, ([7, MASK], {})),
        (many, ("a", "b"), {"c": 1}, ([MASK, MASK], {"c": MASK})),
        (None, (7, "x"), {"order": 7, "userPassword": "x"}, ([MASK, MASK], {"order": 7, "userPassword": MASK})),
    ],
)
def test_arguments_are_masked(function: Any, args: Any, kwargs: Any, shown: Any) -> None:
    assert mask_arguments(function, args, kwargs) == shown


def test_values_in_every_spelling_are_taken_out_of_texts() -> None:
    values = secret_values(handler, (4711, "a'b\n/line two"), {"note": None, "api_key": 12345})
    for text in ("a'b\n/line two", repr("a'b\n/line two"), '"a\'b\\n/line two"', "a%27b%0A%2Fline%20two", "/line two"):
        assert "line" not in scrub(text, values), text
    assert scrub("12345 of 4711", values) == "*** of 4711"


def test_short_values_and_those_of_an_unknown_function_stay_in_texts() -> None:
    assert secret_values(handler, (1, "abc"), {}) == []
    assert set(secret_values(None, ("this",), {"token": "that one"})) == {"that%20one", "that+one", "that one"}
    assert scrub("text", []) == "text"


def test_the_longest_value_goes_first() -> None:
    assert Veil(many, ("abcd", "abcdefgh"))("abcdefgh abcd") == "*** ***"


def test_names_are_added_or_replaced() -> None:
    assert names_of("") == NAMES
    assert names_of("IBAN, card_no") == (*NAMES, "iban", "cardno")
    assert names_of("=iban") == ("iban",)
    assert names_of("=") == ()


def test_a_secret_that_is_a_key_of_a_dict_does_not_reach_sentry() -> None:
    veil = Veil(lambda secret: None, ("c4nary-pin",), {})
    event: Any = {"extra": {"vars": {"found": {"c4nary-pin": 1, "order": 7}}}}
    assert scrubbed(event, veil) == {"extra": {"vars": {"found": {"***": 1, "order": 7}}}}


@pytest.mark.parametrize(
    ("pin", "told"),
    [
        ("open sesame", "p=open+sesame"),
        ("ab/cd ef", "ab/cd%20ef"),
        ('päss"word', '"päss\\"word"'),
        ("pässword", repr("pässword".encode())),
        ("lone\ud800surrogate", "lone\ud800surrogate"),
    ],
)
def test_however_it_is_quoted(pin: str, told: str) -> None:
    assert MASK in Veil(handler, (1, pin), {})(told)


def test_the_keys_of_a_secret_dict_are_secret() -> None:
    assert Veil(handler, (1, {"keyleak": "value"}), {})("['keyleak']") == f"['{MASK}']"


def test_the_default_of_a_secret_parameter_is_secret() -> None:
    def charge(order: int, pin: Secret[str] = "default-pin", api_key: str = "default-key", note: str = "plain") -> None:
        """A task."""

    assert Veil(charge, (1,), {})("default-pin default-key plain") == f"{MASK} {MASK} plain"
