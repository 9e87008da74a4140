"""What a change breaks: where, what, whom, and what to do about it."""

from dataclasses import dataclass, replace
from enum import StrEnum


class Whom(StrEnum):
    """The readers that cannot read."""

    NEW = "new readers of old messages"
    OLD = "old readers of new messages"

    @property
    def written(self) -> str:
        """What they are given."""
        return "old messages" if self is Whom.NEW else "new messages"

    @property
    def readers(self) -> str:
        """Who they are."""
        return "new readers" if self is Whom.NEW else "old readers"


class Kind(StrEnum):
    """What the matter is."""

    MISSING = "missing"
    """It is required and may be missing."""
    TYPE = "type"
    """It is of a type that is not read."""
    VALUES = "values"
    """It may have values that are not known."""
    BOUNDS = "bounds"
    """It may be larger, smaller, or of a form that is not taken."""
    EXTRA = "extra"
    """It is sent to readers that refuse what they do not know."""
    PLACE = "place"
    """A positional argument has become another one."""
    UNJUDGED = "unjudged"
    """The schema says something that the rules do not know."""
    VERSION = "version"
    """A version is not what the lock says of it."""
    RESERVED = "reserved"
    """A name that was taken away is back with another meaning."""
    SAMPLE = "sample"
    """A golden sample is not read."""
    GONE = "gone"
    """What was locked is not declared."""
    CHANGED = "changed"
    """The lock's past was edited."""


FIXES = {
    (Kind.MISSING, Whom.NEW): "give it a default, or write an @upcast that fills it in",
    (Kind.MISSING, Whom.OLD): "go on sending it until no reader needs it, or raise min_reader: then old workers wait",
    (Kind.TYPE, Whom.NEW): "take both types (a union), or write an @upcast; a new meaning wants a new name",
    (Kind.TYPE, Whom.OLD): "send the new type under a new name and the old one beside it, or raise min_reader",
    (Kind.VALUES, Whom.NEW): "keep the old values, or write an @upcast that maps them",
    (Kind.VALUES, Whom.OLD): "give the enum a member `unknown` first, and send the new values one version later",
    (Kind.BOUNDS, Whom.NEW): "keep the wider bounds in the type and check the narrower ones where it is made",
    (Kind.BOUNDS, Whom.OLD): "keep the narrower bounds until no old reader is left, or raise min_reader",
    (Kind.EXTRA, Whom.NEW): "keep it, with a default and unused, until no message has it",
    (Kind.EXTRA, Whom.OLD): "let the class take what it does not know, one version before this one",
    (Kind.PLACE, Whom.NEW): "keep the order; add new parameters at the end or behind a *",
    (Kind.PLACE, Whom.OLD): "keep the order; add new parameters at the end or behind a *",
    (Kind.UNJUDGED, Whom.NEW): "leave this keyword as it was, or let the message be of mode NONE and check it by hand",
    (Kind.UNJUDGED, Whom.OLD): "leave this keyword as it was, or let the message be of mode NONE and check it by hand",
}


_OTHER_NAME = "or give the changed function another name: @app.task(name=…)"
FIXES_OF_TASKS: dict[tuple[Kind, Whom | None], str] = {
    (Kind.MISSING, Whom.NEW): "give it a default",
    (Kind.MISSING, Whom.OLD): f"leave it as it was, {_OTHER_NAME}",
    (Kind.TYPE, Whom.NEW): f"take both types (a union), {_OTHER_NAME}",
    (Kind.TYPE, Whom.OLD): f"leave it as it was until workers that take both are everywhere, {_OTHER_NAME}",
    (Kind.VALUES, Whom.NEW): f"keep the old values, {_OTHER_NAME}",
    (Kind.BOUNDS, Whom.NEW): "keep the wider bounds, and check the narrower ones inside of the function",
    (Kind.BOUNDS, Whom.OLD): f"keep the narrower bounds until the workers are deployed, {_OTHER_NAME}",
    (Kind.EXTRA, Whom.OLD): "deploy workers before producers: --mode NAME=BACKWARD_TRANSITIVE --update",
}
"""Where others hold: a call has no upcasts, no aliases and no min_reader."""


@dataclass(frozen=True, slots=True)
class Break:
    """One thing that somebody cannot read."""

    kind: Kind
    change: str
    fix: str
    whom: Whom | None = None
    """None where nobody in particular is broken, but a rule of the lock."""
    path: str = "$"
    """The JSON path of it: `$.lines[].price`; `[]` is any item, `.*` any key."""
    versions: tuple[int, ...] = ()
    """That of the message and that of the reader."""

    def under(self, step: str) -> "Break":
        """The same, seen from what holds it: `step` is `.name`, `[3]` or `[]`."""
        return replace(self, path=f"${step}{self.path[1:]}")

    def between(self, written: int, read: int) -> "Break":
        """The same, of these versions."""
        return replace(self, versions=(written, read))
