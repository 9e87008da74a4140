"""How large, how long, of which form: what a reader takes less of than a writer may send; and single values."""

import math
import re
from collections.abc import Callable, Iterator
from typing import Any

from postroom.contracts.schema import Node, constraints, values

_LOWER = (("minimum", "exclusiveMinimum"), ("minLength", ""), ("minItems", ""), ("minProperties", ""))
_UPPER = (("maximum", "exclusiveMaximum"), ("maxLength", ""), ("maxItems", ""), ("maxProperties", ""))
_SAME = ("format", "contentEncoding", "pattern")
"""What must be the same where a reader asks for it."""
_UNKNOWN = "unknown"

_TYPES: dict[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
}


def narrower(w: Node, r: Node) -> Iterator[tuple[str, str]]:
    """For each bound of the reader's that the writer may overstep: what it may send, what is taken."""
    for keys, sign in ((_LOWER, 1), (_UPPER, -1)):
        for plain, exclusive in keys:
            takes, has = _bound(r, plain, exclusive, sign), _bound(w, plain, exclusive, sign)
            if takes > has and takes > (0 if plain in _COUNTS else -math.inf, 0):
                shown = f"{plain} {sign * has[0]:g}" if math.isfinite(has[0]) else f"any {_OF[plain]}"
                yield shown, f"{exclusive if takes[1] else plain} {sign * takes[0]:g}"
    for key in _SAME:
        if key in r and r[key] != w.get(key):
            yield f"{key} {w[key]!r}" if key in w else f"any {w.get('type', 'value')}", f"{key} {r[key]!r}"
    step = r.get("multipleOf")
    if step and (w.get("multipleOf") or 0.5 * step) % step:
        yield "any number", f"multiples of {step}"
    if r.get("uniqueItems") and not w.get("uniqueItems"):
        yield "an item twice", "unique items"


_COUNTS = frozenset({"minLength", "minItems", "minProperties"})
_OF = {
    **dict.fromkeys(("minimum", "maximum"), "number"),
    **dict.fromkeys(("minLength", "maxLength"), "length"),
    **dict.fromkeys(("minItems", "maxItems"), "number of items"),
    **dict.fromkeys(("minProperties", "maxProperties"), "number of keys"),
}


def _bound(node: Node, plain: str, exclusive: str, sign: int) -> tuple[float, int]:
    """A bound as a pair that is greater where less is taken."""
    found = [(-math.inf, 0)]
    if plain in node:
        found.append((sign * node[plain], 0))
    if exclusive in node:
        # Of integers the next one is meant, so that > 0 and >= 1 are the same.
        whole = node.get("type") == "integer"
        found.append((sign * node[exclusive] + 1, 0) if whole else (sign * node[exclusive], 1))
    return max(found)


def takes_value(node: Node, value: Any) -> bool:
    """Does a node, which has no alternatives, take this one value?"""
    known = values(node)
    if known is not None:
        listed = any(value == one and isinstance(value, bool) == isinstance(one, bool) for one in known)
        return listed or (isinstance(value, str) and takes_unknown(node))
    kind = node.get("type")
    if not constraints(node):
        return True
    if kind not in _TYPES or not _TYPES[kind](value) or constraints(node) & {"format", "contentEncoding"}:
        return False
    if isinstance(value, str):
        long_enough = node.get("minLength", 0) <= len(value) <= node.get("maxLength", math.inf)
        return long_enough and re.search(node.get("pattern", ""), value) is not None
    point = {"type": kind, "minimum": value, "maximum": value, "multipleOf": value or node.get("multipleOf")}
    return kind in {"boolean", "null"} or not any(narrower(point, node))


def takes_unknown(node: Node) -> bool:
    """Does an enum read any text, as its member `unknown`?"""
    if "x-unknown" in node:
        return bool(node["x-unknown"])
    return any(isinstance(value, str) and value.lower() == _UNKNOWN for value in values(node) or ())
