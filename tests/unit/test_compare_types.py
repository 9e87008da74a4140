"""What the rules pass is read: of two classes that are alike, each document of the one is decoded by the other."""

import datetime
import itertools
import uuid
from collections.abc import Callable
from typing import Annotated, Any, Literal, Optional

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from postroom.contracts.breaks import Whom
from postroom.contracts.compare import compare
from postroom.contracts.derive import decode, derive
from postroom.contracts.samples import golden, variants

Spec = Any
"""A type, as a tuple that can be changed in one place: ("leaf", type) or (kind, parts)."""

LEAVES = (
    *(int, float, str, bool, None, bytes, datetime.datetime, datetime.date, uuid.UUID, Any),
    *(Literal["a"], Literal["a", "b"], Literal["a", "unknown"], Literal[1, "a"]),
    *(
        Annotated[int, msgspec.Meta(ge=1)],
        Annotated[int, msgspec.Meta(gt=0, lt=9)],
        Annotated[float, msgspec.Meta(le=9)],
    ),
    *(Annotated[str, msgspec.Meta(max_length=4)], Annotated[str, msgspec.Meta(min_length=2)]),
)
NUMBERS = itertools.count()
leaves = st.sampled_from([("leaf", kind) for kind in LEAVES])


def nests(inside: st.SearchStrategy[Spec]) -> st.SearchStrategy[Spec]:
    """Specs with parts."""
    field = st.tuples(st.sampled_from("abc"), inside, st.booleans())
    return st.one_of(
        st.tuples(st.just("list"), inside),
        st.tuples(st.just("map"), inside),
        st.tuples(st.just("pair"), inside, inside),
        st.tuples(st.just("maybe"), inside),
        st.tuples(st.just("class"), st.lists(field, max_size=3, unique_by=lambda one: one[0]), st.booleans()),
    )


specs = st.recursive(leaves, nests, max_leaves=6)


@st.composite
def alike(draw: st.DrawFn, spec: Spec) -> Spec:
    """The same with some parts changed."""
    change = draw(st.integers(0, 9))
    if change == 0:
        return draw(specs)
    if change == 1:
        return ("maybe", spec)
    if spec[0] == "leaf":
        return draw(leaves) if change < 5 else spec
    if spec[0] == "class":
        fields = [(name, draw(alike(part)), draw(st.booleans()) and given_) for name, part, given_ in spec[1]]
        if change == 2 and fields:
            fields.pop()
        if change == 3:
            fields.append(("d", draw(leaves), draw(st.booleans())))
        return ("class", fields, spec[2] if change < 8 else draw(st.booleans()))
    return (spec[0], *(draw(alike(part)) for part in spec[1:]))


def build(spec: Spec) -> Any:
    """The type."""
    kind, *parts = spec
    if kind == "leaf":
        return parts[0]
    if kind == "class":
        fields: list[Any] = [
            (name, build(part), msgspec.field(default_factory=lambda: None)) if default else (name, build(part))
            for name, part, default in parts[0]
        ]
        return msgspec.defstruct(f"C{next(NUMBERS)}", fields, kw_only=True, forbid_unknown_fields=parts[1])
    inner = [build(part) for part in parts]
    made: dict[str, Callable[[], Any]] = {
        "list": lambda: list[inner[0]],  # type: ignore[valid-type]
        "map": lambda: dict[str, inner[0]],  # type: ignore[valid-type]
        "pair": lambda: tuple[inner[0], inner[1]],  # type: ignore[valid-type]
        "maybe": lambda: Optional[inner[0]],  # noqa: UP045  of None, too
    }
    return made[kind]()


def test_what_the_rules_pass_is_read() -> None:
    passed = 0

    @given(specs.flatmap(lambda spec: st.tuples(st.just(spec), alike(spec))))
    @settings(max_examples=500)
    def check(pair: tuple[Spec, Spec]) -> None:
        nonlocal passed
        old, new = map(build, pair)
        before, after = derive(old), derive(new)
        assert compare(before, before, Whom.NEW) == []
        decode(golden(before), old)
        # How an enum takes what it does not know is the class's own.
        if pair[0] != pair[1] and "unknown" not in str(pair[1]) and not compare(before, after, Whom.NEW):
            passed += 1
            for document in variants(before):
                decode(document, new)

    check()
    assert passed > 50, "else this looks at nothing"
