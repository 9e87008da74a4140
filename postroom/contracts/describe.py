"""Schemas in a few words, for the text of a break."""

from typing import Any

from postroom.contracts.schema import Document, Node, Schema, constraints, values

_SHOWN = 6


def describe(document: Document, node: Schema) -> str:
    """What a node takes: `integer or null`, `string (date-time)`, `anything`."""
    words = dict.fromkeys(_describe(branch) for branch in document.branches(node))
    return " or ".join(words) or "nothing"


def listed(found: list[Any]) -> str:
    """Some values, as a text lists them."""
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return ", ".join(repr(value) for value in found[:_SHOWN]) + more


def _describe(node: Node) -> str:
    if not constraints(node):
        return "anything"
    known = values(node)
    if known is not None:
        return listed(known)
    kind = node.get("x-message") or node.get("type", "something")
    form = node.get("format") or node.get("contentEncoding")
    tags = [f"{name} {listed(tag)}" for name, tag in tags_of(node).items()]
    return f"{kind} ({form or ', '.join(tags)})" if form or tags else str(kind)


def tags_of(node: Node) -> dict[str, list[Any]]:
    """The fields of an object that can have one value only: what tells it from others in a union."""
    found = {name: values(field) for name, field in node.get("properties", {}).items() if isinstance(field, dict)}
    return {name: only for name, only in found.items() if only is not None and len(only) == 1}
