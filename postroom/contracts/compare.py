"""Can a reader of one schema read whatever is written under another? The rules.

Readers ignore fields that they do not know and keep them; a field that is not required may be missing. What the rules
do not know is never passed: it is told as a break of its own kind. Where Avro's and Confluent's published rules say
otherwise, tests/unit/test_contract_cases.py says why.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from postroom.contracts.bounds import narrower, takes_value
from postroom.contracts.breaks import FIXES, Break, Kind, Whom
from postroom.contracts.describe import describe, listed, tags_of
from postroom.contracts.schema import ANYTHING, Document, Node, Schema, constraints, shape, values

_RULES = frozenset(
    {
        *("type", "const", "enum", "format", "contentEncoding", "pattern", "multipleOf", "uniqueItems"),
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength"),
        *("minItems", "maxItems", "minProperties", "maxProperties"),
        *("properties", "required", "additionalProperties", "propertyNames", "items", "prefixItems"),
    }
)
"""The keywords that are judged here."""


def compare(writer: Node, reader: Node, whom: Whom) -> list[Break]:
    """What a reader of `reader` cannot read of what is written under `writer`.

    Args:
        whom: which of the two is the older; for the texts.

    Raises:
        ConfigError: a schema has a reference that leads nowhere.
    """
    return compare_nodes((Document(writer), writer), (Document(reader), reader), whom)


def compare_nodes(writer: tuple[Document, Schema], reader: tuple[Document, Schema], whom: Whom) -> list[Break]:
    """`compare`, of parts of two documents."""
    return _Comparison(writer[0], reader[0], whom).nodes(writer[1], reader[1])


@dataclass
class _Comparison:
    writer: Document
    reader: Document
    whom: Whom
    _open: dict[tuple[int, int], int] = field(default_factory=dict)
    """Pairs that are being compared, by depth: met again inside of themselves they add nothing, so recursion ends."""
    _done: dict[tuple[int, int], list[Break]] = field(default_factory=dict)
    _low: float = math.inf
    """The outermost open pair that was met again. What leaned on one that is still open is not kept as done."""

    def nodes(self, writer: Schema, reader: Schema) -> list[Break]:
        """The breaks of one node, with paths from there."""
        w, r = self.writer.resolve(writer), self.reader.resolve(reader)
        pair = (id(w), id(r))
        if pair in self._done:
            return self._done[pair]
        if pair in self._open:
            self._low = min(self._low, self._open[pair])
            return []
        depth = self._open[pair] = len(self._open)
        outer, self._low = self._low, math.inf
        readers = self.reader.branches(r)
        found = [told for branch in self.writer.branches(w) for told in self._branch(branch, readers)]
        del self._open[pair]
        if self._low >= depth:
            self._done[pair] = found
            self._low = math.inf
        self._low = min(self._low, outer)
        return found

    def _branch(self, w: Node, readers: Sequence[Node]) -> list[Break]:
        """One alternative of the writer's, for which some alternative of the reader's must do."""
        known = values(w)
        if known is not None:
            strange = [value for value in known if not any(takes_value(r, value) for r in readers)]
            return [self._values(strange, readers)] if strange else []
        tried = [(r, self._plain(w, r)) for r in readers]
        if any(not breaks for _, breaks in tried):
            return []
        kin = [breaks for r, breaks in tried if len(readers) == 1 or self._kin(w, r)]
        return min(kin, key=len) if kin else [self._type(w, *readers)]

    def _kin(self, w: Node, r: Node) -> bool:
        """Is this the alternative that is meant? Of the same type, and not told apart by a tag."""
        theirs = tags_of(r)
        same_tags = all(theirs.get(name, tag) == tag for name, tag in tags_of(w).items())
        return w.get("type") == r.get("type") and same_tags

    def _plain(self, w: Node, r: Node) -> list[Break]:
        """Neither has alternatives, and the writer lists no values."""
        wanted = constraints(r)
        if not wanted or self._lists_all(w, r):
            return []
        kind, taken = w.get("type"), r.get("type")
        if values(r) is not None or (taken and taken not in {kind, _WIDER.get(str(kind))}):
            return [self._type(w, r)]
        judged = _RULES if taken else frozenset()  # without a type a keyword asks for this or that
        found = [
            self._break(Kind.UNJUDGED, f"its {key} is not the same, which the rules do not know")
            for key in sorted(wanted - judged)
            if not self._same(w, r, key)
        ]
        found += [
            self._break(Kind.BOUNDS, f"{self.whom.written} may have {has}, {self.whom.readers} take {takes}")
            for has, takes in narrower(w, r)
        ]
        if w.get("x-message") != r.get("x-message") and "x-message" in r:
            found.append(self._type(w, r))
        if kind == "array":
            found += self._items(w, r)
        return found + self._object(w, r) if kind == "object" else found

    def _same(self, w: Node, r: Node, key: str) -> bool:
        """Do both say the same by a keyword, whatever it means, with all that it refers to?"""
        return key in w and shape(_part(self.writer, w, key)) == shape(_part(self.reader, r, key))

    @staticmethod
    def _lists_all(w: Node, r: Node) -> bool:
        """The reader lists values, and whatever this type may say is among them."""
        whole = {"boolean": (True, False), "null": (None,), "string": ("\0",)}.get(w.get("type", ""), ())
        return bool(whole) and values(r) is not None and all(takes_value(r, value) for value in whole)

    def _items(self, w: Node, r: Node) -> list[Break]:
        firsts = max(len(w.get("prefixItems", ())), len(r.get("prefixItems", ())))
        most = w.get("maxItems", math.inf)
        found: list[Break] = []
        for at in range(firsts + 1):
            writes, reads = _item(w, at), _item(r, at)
            if at >= most or writes is False:
                break
            step = f"[{at}]" if at < firsts else "[]"
            if reads is False:
                change = f"{self.whom.written} may have an item more than {self.whom.readers} take"
                return [*found, self._break(Kind.BOUNDS, change).under(step)]
            found += [told.under(step) for told in self.nodes(writes, reads)]
        return found

    def _object(self, w: Node, r: Node) -> list[Break]:
        writes, reads = w.get("properties", {}), r.get("properties", {})
        needed, sure = r.get("required", ()), w.get("required", ())
        others, rest = w.get("additionalProperties", True), r.get("additionalProperties", True)
        found: list[Break] = []
        used = set[str]()
        for name, node in reads.items():
            sent = next((known for known in (name, *_aliases(node)) if known in writes), None)
            if sent is not None:
                used.add(sent)
                found += [told.under(f".{name}") for told in self.nodes(writes[sent], node)]
            elif isinstance(others, Mapping):
                found += [told.under(f".{name}") for told in self.nodes(others, node)]
            if name in needed and sent not in sure:
                found.append(self._missing(name, sent, writes, reads))
        for name in writes.keys() - used:
            if rest is False:
                change = f"{self.whom.written} have it, {self.whom.readers} refuse what they do not know"
                found.append(self._break(Kind.EXTRA, change).under(f".{name}"))
            elif isinstance(rest, Mapping):
                found += [told.under(f".{name}") for told in self.nodes(writes[name], rest)]
        found += self._map(w, r)
        found += [told.under(f".{name}") for name, told in self._places(w, r)]
        return sorted(found, key=lambda told: (told.path, told.kind))

    def _map(self, w: Node, r: Node) -> list[Break]:
        """Keys that no property names: of a map, or of a class that takes any."""
        others, rest = w.get("additionalProperties", True), r.get("additionalProperties", True)
        if others is False or (others is True and w.get("properties")):
            return []  # what a class is sent besides its fields is nobody's promise
        if rest is False:
            change = f"{self.whom.written} may have any key, {self.whom.readers} refuse what they do not know"
            return [self._break(Kind.EXTRA, change).under(".*")]
        found = self.nodes(others, rest) if isinstance(rest, Mapping) else []
        if "propertyNames" in r:
            found = [*found, *self.nodes(w.get("propertyNames", _KEY), r["propertyNames"])]
        return [told.under(".*") for told in found]

    def _places(self, w: Node, r: Node) -> list[tuple[str, Break]]:
        """Of calls: what a positional argument means is told by its place."""
        places, theirs = w.get("x-positional", ()), r.get("x-positional", ())
        found: list[tuple[str, str]] = []
        rest: list[tuple[str, Break]] = []
        for at, name in enumerate(places):
            now = theirs[at] if at < len(theirs) else None
            if now == name:
                continue
            if now is None and "x-rest" in r:
                rest += [(name, told) for told in self.nodes(w["properties"][name], r["x-rest"])]
            elif now is None and name not in r.get("properties", {}):
                continue  # told as what is refused, where it is
            elif now is not None and (name in r.get("properties", {}) or now in w.get("properties", {})):
                found.append((name, f"argument {at + 1} of a call is `{name}` in one version and `{now}` in the other"))
            elif now is None:
                found.append((name, f"argument {at + 1} of a call is taken by its name only"))
        if "x-rest" in w and "x-rest" not in r:
            found.append(("*", f"{self.whom.written} may have any number of arguments"))
        by_name = set(w.get("properties", {})) - set(w.get("x-positional-only", ()))
        only = by_name & set(r.get("x-positional-only", ()))
        found += [(name, "it is taken by its place only") for name in sorted(only)]
        if "x-rest" in w and "x-rest" in r:
            rest += [("*", told) for told in self.nodes(w["x-rest"], r["x-rest"])]
        return rest + [(name, self._break(Kind.PLACE, text)) for name, text in found]

    def _missing(self, name: str, sent: str | None, writes: Node, reads: Node) -> Break:
        change = f"{self.whom.written} may be without it, {self.whom.readers} require it"
        gone = [other for other in writes if other not in reads and not self.nodes(writes[other], reads[name])]
        fix = None
        if sent is None and gone and self.whom is Whom.NEW:
            fix = f"if it is `{gone[0]}` under a new name, make `{gone[0]}` its alias; else give it a default"
        return self._break(Kind.MISSING, change, fix).under(f".{name}")

    def _type(self, w: Node, *readers: Node) -> Break:
        takes = " or ".join(dict.fromkeys(describe(self.reader, r) for r in readers)) or "nothing"
        has = describe(self.writer, w)
        return self._break(Kind.TYPE, f"{self.whom.written} may have {has}, {self.whom.readers} take {takes}")

    def _values(self, strange: list[Any], readers: Sequence[Node]) -> Break:
        takes = " or ".join(dict.fromkeys(describe(self.reader, r) for r in readers)) or "nothing"
        text = f"{self.whom.written} may say {listed(strange)}, {self.whom.readers} take {takes}"
        return self._break(Kind.VALUES, text)

    def _break(self, kind: Kind, change: str, fix: str | None = None) -> Break:
        return Break(kind, change, fix or FIXES[kind, self.whom], self.whom)


_WIDER = {"integer": "number"}
"""What is read as another type without loss."""
_KEY: Node = {"type": "string"}


def _part(document: Document, node: Node, key: str) -> Node:
    return {"part": {key: node[key]}, "$defs": document.root.get("$defs", {})}


def _item(node: Node, at: int) -> Schema:
    firsts = node.get("prefixItems", ())
    found: Schema = firsts[at] if at < len(firsts) else node.get("items", ANYTHING)
    return found


def _aliases(node: Schema) -> Sequence[str]:
    return node.get("x-aliases", ()) if isinstance(node, Mapping) else ()
