"""Documents made from a schema: always the same ones, so that a golden sample may be written into the lock."""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from postroom.contracts.schema import Document, Node, Schema, constraints, values
from postroom.jobs.errors import ConfigError

_MOST_TURNS = 20
_FORMATS = {
    "date-time": "2026-01-02T03:04:05Z",
    "date": "2026-01-02",
    "time": "03:04:05",
    "duration": "PT1S",
    "uuid": "00000000-0000-4000-8000-000000000001",
    "decimal": "1.5",
    "email": "a@example.org",
    "uri": "https://example.org/",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
}
_TEXTS = ("text", "a", "A", "0", "1", "00", "AA", "aa", "000", "AAA", "abc", "ABC-1", "a-1", "a_1", "a@example.org", "")
"""What is tried where a pattern must be met."""


class _Endless(Exception):
    """There is no finite document on this way."""


def golden(schema: Node) -> Any:
    """The sample of a schema: every field is there, every union takes its first alternative.

    Raises:
        ConfigError: none can be made.
    """
    return _Maker(schema, 0, whole=True).make()


def variants(schema: Node) -> Iterator[Any]:
    """Samples with all fields and with the required ones only, until each alternative was taken once."""
    turn, most = 0, 1
    while turn < min(most, _MOST_TURNS):
        for whole in (True, False):
            maker = _Maker(schema, turn, whole=whole)
            yield maker.make()
            most = max(most, maker.alternatives)
        turn += 1


class _Maker:
    def __init__(self, schema: Node, turn: int, *, whole: bool) -> None:
        self._document = Document(schema)
        self._turn, self._whole = turn, whole
        self.alternatives = 1
        """The most that any choice had."""

    def make(self) -> Any:
        try:
            return self._node(self._document.root, ())
        except _Endless:
            raise ConfigError("the schema has no finite document: a class requires itself") from None

    def _node(self, schema: Schema, inside: tuple[int, ...]) -> Any:
        branches = sorted(self._document.branches(schema), key=lambda branch: branch.get("type") == "null")
        for branch in self._in_turn(branches):
            if id(branch) in inside:
                continue
            try:
                return self._branch(branch, (*inside, id(branch)))
            except _Endless:
                continue
        raise _Endless

    def _in_turn(self, choices: Sequence[Any]) -> list[Any]:
        self.alternatives = max(self.alternatives, len(choices))
        start = self._turn % len(choices) if choices else 0
        return [*choices[start:], *choices[:start]]

    def _branch(self, node: Node, inside: tuple[int, ...]) -> Any:
        known = values(node)
        if known:
            return self._in_turn(known)[0]
        if not constraints(node):
            return "anything"
        makers: dict[Any, Callable[[], Any]] = {
            "object": lambda: self._object(node, inside),
            "array": lambda: self._array(node, inside),
            "string": lambda: _text(node),
            "integer": lambda: _number(node),
            "number": lambda: _number(node),
            "boolean": lambda: self._in_turn([True, False])[0],
            "null": lambda: None,
        }
        if node.get("type") in makers:
            return makers[node["type"]]()
        raise ConfigError(f"no sample can be made of {dict(node)!r}: give one with --sample NAME=FILE")

    def _object(self, node: Node, inside: tuple[int, ...]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, field in node.get("properties", {}).items():
            required = name in node.get("required", ())
            if not required and not self._whole:
                continue
            try:
                found[name] = self._node(field, inside)
            except _Endless:
                if required:
                    raise
        rest = node.get("additionalProperties")
        if isinstance(rest, Mapping) and (self._whole or node.get("minProperties")):
            key = self._node(node.get("propertyNames", {"const": "key"}), inside)
            with suppress(_Endless):
                found[str(key)] = self._node(rest, inside)
        return found

    def _array(self, node: Node, inside: tuple[int, ...]) -> list[Any]:
        firsts = node.get("prefixItems", ())
        found = [self._node(item, inside) for item in firsts]
        least = node.get("minItems", 0)
        wanted = max(least, 1 if self._whole and not firsts else 0)
        items = node.get("items", True)
        while len(found) < min(wanted, node.get("maxItems", math.inf)) and items is not False:
            try:
                found.append(self._node(items, inside))
            except _Endless:
                if len(found) < least:
                    raise
                break
        return found


def _text(node: Node) -> str:
    if "contentEncoding" in node or node.get("format") in {"byte", "binary"}:
        return "AAEC"
    if node.get("format") in _FORMATS:
        return _FORMATS[node["format"]]
    least, most, pattern = node.get("minLength", 0), node.get("maxLength", math.inf), node.get("pattern", "")
    tried = [text.ljust(least, text[-1:] or "a")[: int(min(most, 1000 + least))] for text in _TEXTS]
    found = next((text for text in tried if re.search(pattern, text)), None)
    if found is None:
        raise ConfigError(f"no sample is known for the pattern {pattern!r}: give one with --sample NAME=FILE")
    return found


def _number(node: Node) -> float:
    whole = node.get("type") == "integer"
    low = max(node.get("minimum", -math.inf), node.get("exclusiveMinimum", -math.inf))
    high = min(node.get("maximum", math.inf), node.get("exclusiveMaximum", math.inf))
    step = node.get("multipleOf", 1 if whole else 0.5)
    start = 1.0 if whole else 1.5
    if not low < start < high or start % step:
        near = low if math.isfinite(low) else high if math.isfinite(high) else 0
        start = math.ceil(near / step) * step if near == low else math.floor(near / step) * step
        if start in {node.get("exclusiveMinimum"), node.get("exclusiveMaximum")}:
            start += step if near == low else -step
    return int(start) if whole else start


STRANGE = "x_added_later"


def with_extras(schema: Node, sample: Any) -> Any:
    """The sample as a later version might send it: a field more in every object of a class that takes any."""
    document = Document(schema)
    return _more(document, schema, sample)


def _more(document: Document, schema: Schema, sample: Any) -> Any:
    branches = document.branches(schema)
    kind = "object" if isinstance(sample, dict) else "array" if isinstance(sample, list) else None
    fitting = [branch for branch in branches if branch.get("type") == kind]
    if kind is None or len(fitting) != 1:
        return sample  # which of several classes it is, the schema does not tell in a word
    node = fitting[0]
    if isinstance(sample, list):
        firsts = node.get("prefixItems", ())
        rest = node.get("items", True)
        return [_more(document, firsts[at] if at < len(firsts) else rest, item) for at, item in enumerate(sample)]
    fields, others = node.get("properties", {}), node.get("additionalProperties", True)
    found = {name: _more(document, fields.get(name, others), value) for name, value in sample.items()}
    return {**found, STRANGE: 1} if fields and others is True else found
