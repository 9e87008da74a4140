"""JSON Schema (2020-12) as data: one form for the same meaning, references, alternatives.

The dialect is what `msgspec.json.schema` and pydantic write (https://json-schema.org/draft/2020-12). Our own keywords:
`x-aliases` (other names that a field is read under), `x-unknown` (an enum that takes any value), `x-positional`,
`x-positional-only` and `x-rest` (the order of a call's arguments), `x-message` (a message class, whose contract is its
own), `x-reserved` (names of fields that were taken away and may not come back).
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from postroom.jobs.errors import ConfigError

Node = Mapping[str, Any]
Schema = Node | bool

ANYTHING: Node = {}
NOTHING: Node = {"not": {}}

_IGNORED = frozenset({"title", "description", "examples", "deprecated", "$schema", "$id", "$comment"})
"""What says nothing about a message's form; left out of the lock."""
_ANNOTATIONS = _IGNORED | {"default", "readOnly", "writeOnly", "discriminator", "$defs"}
_NAMED = frozenset({"properties", "$defs", "patternProperties", "dependentSchemas"})
"""Keywords whose values are schemas by name."""
_UNORDERED = frozenset({"required", "enum", "anyOf", "oneOf", "type", "x-aliases"})
_OPAQUE = frozenset({"default", "const", "enum", "discriminator"})
"""Keywords whose values are no schemas."""
_HERE = "#/$defs/"
_REFERENCES = re.compile(r'(?<="\$ref":")([^"]*)')


def canonical(value: Any) -> str:
    """The one text of a JSON value."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def normal(schema: Node) -> dict[str, Any]:
    """The same schema in the form that is compared and locked: without prose, in one order, definitions at the top."""
    definitions: dict[str, Any] = {}
    root: dict[str, Any] = _normal(schema, definitions)
    if definitions:
        root["$defs"] = definitions
    return root


def _normal(node: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(node, list):
        return [_normal(item, definitions) for item in node]
    if not isinstance(node, Mapping):
        return node
    found: dict[str, Any] = {}
    for key, value in node.items():
        if key in _IGNORED:
            continue
        if key in _NAMED:
            named = {name: _normal(schema, definitions) for name, schema in value.items()}
            if key == "$defs":
                definitions |= named
                continue
            found[key] = named
        else:
            found[key] = value if key in _OPAQUE else _normal(value, definitions)
        if key in _UNORDERED and isinstance(found[key], list):
            found[key] = sorted(found[key], key=canonical)
    return found


def inlined(schema: Node) -> dict[str, Any]:
    """A schema whose top is no reference: what that leads to stands in its place."""
    document, definitions = Document(schema), dict(schema.get("$defs", {}))
    if "$ref" not in schema:
        return dict(schema)
    name = str(schema["$ref"]).removeprefix(_HERE)
    found = dict(document.resolve(schema))
    if canonical([found, definitions]).count(canonical(schema["$ref"])) == 0:
        definitions.pop(name, None)
    return {**found, **({"$defs": definitions} if definitions else {})}


def shape(schema: Node) -> str:
    """One text for schemas that differ in the names of their classes only, which are not sent."""
    text, names = canonical(inlined(schema) | {"$defs": {}}), dict[str, str]()
    definitions, todo, found = schema.get("$defs", {}), [text], list[str]()
    while todo:
        text = todo.pop(0)
        for reference in _REFERENCES.findall(text):
            if reference not in names:
                names[reference] = f"{len(names)}"
                todo.append(canonical(definitions.get(reference.removeprefix(_HERE))))
        found.append(_REFERENCES.sub(lambda match: names[match[1]], text))
    return "\n".join(found)


def constraints(node: Node) -> set[str]:
    """The keywords by which a node says what it takes."""
    return {key for key in node if key not in _ANNOTATIONS and not key.startswith("x-")}


def values(node: Node) -> list[Any] | None:
    """The only values that a node takes; None where it does not list them."""
    if "const" in node:
        return [node["const"]]
    listed = node.get("enum")
    return None if listed is None else list(listed)


class Document:
    """A schema with its definitions."""

    def __init__(self, root: Node) -> None:
        self.root = root
        self._branches: dict[int, list[Node]] = {}
        self._made: list[Node] = []  # kept, for their ids are keys

    def resolve(self, node: Schema) -> Node:
        """What a node says where it stands: its references followed.

        Raises:
            ConfigError: one leads nowhere.
        """
        seen = set[str]()
        while isinstance(node, Mapping):
            alone = node.get("allOf")
            if alone and len(alone) == 1 and constraints(node) == {"allOf"}:
                node = alone[0]  # pydantic's way of a reference with a default
                continue
            reference = node.get("$ref")
            if reference is None or constraints(node) != {"$ref"}:
                return node  # with something beside a reference it is no case of the rules
            if reference in seen:
                raise ConfigError(f"the schema's reference {reference!r} leads to itself")
            seen.add(reference)
            node = self._target(reference)
        return ANYTHING if node else NOTHING

    def branches(self, node: Schema) -> list[Node]:
        """The alternatives of a node, none of which has alternatives; itself, where it has none."""
        node = self.resolve(node)
        if id(node) not in self._branches:
            self._branches[id(node)] = []  # a union that holds itself adds nothing to itself
            self._branches[id(node)] = self._split(node)
        return self._branches[id(node)]

    def _split(self, node: Node) -> list[Node]:
        said = constraints(node)
        for key in ("anyOf", "oneOf"):
            if said == {key}:
                return [branch for alternative in node[key] for branch in self.branches(alternative)]
        if isinstance(node.get("type"), list) and values(node) is None:
            split: list[Node] = [{**node, "type": one} for one in node["type"]]
            self._made += split
            return split
        return [node]

    def _target(self, reference: str) -> Schema:
        if reference == "#":
            return self.root
        name = reference.removeprefix(_HERE).replace("~1", "/").replace("~0", "~")
        found = self.root.get("$defs", {}).get(name) if reference.startswith(_HERE) else None
        if found is None:
            raise ConfigError(f"the schema's reference {reference!r} leads nowhere: only {_HERE}… is followed")
        return found  # type: ignore[no-any-return]

    def fields(self) -> dict[str, Node]:
        """Every field by its path, those of a definition that holds itself once."""
        found: dict[str, Node] = {}
        self._collect(self.root, "$", found, ())
        return found

    def _collect(self, node: Schema, path: str, found: dict[str, Node], inside: tuple[int, ...]) -> None:
        for branch in self.branches(node):
            if id(branch) in inside:
                continue
            below = (*inside, id(branch))
            for name, field in branch.get("properties", {}).items():
                found.setdefault(f"{path}.{name}", field)
                self._collect(field, f"{path}.{name}", found, below)
            for key, step in (("items", "[]"), ("additionalProperties", ".*")):
                if isinstance(branch.get(key), Mapping):
                    self._collect(branch[key], path + step, found, below)
