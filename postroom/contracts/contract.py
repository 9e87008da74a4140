"""What an app has contracts on: each of its tasks, and each of its messages."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from msgspec import inspect

from postroom.contracts.derive import aliased, decode, derive
from postroom.contracts.schema import Node, inlined
from postroom.contracts.signature import Signature
from postroom.jobs.app import Postroom
from postroom.jobs.codecs import JSON
from postroom.jobs.contracts import Contract as Declared
from postroom.jobs.contracts import brought_down, brought_up, has_step
from postroom.jobs.contracts import contracts as declared_messages
from postroom.jobs.origins import Origins

TASK, MESSAGE = "task", "message"


class Contract(Protocol):
    """One form that others depend on, as this checkout declares it."""

    @property
    def kind(self) -> str:
        """TASK or MESSAGE."""

    @property
    def name(self) -> str:
        """The task's, or the message's logical name."""

    @property
    def version(self) -> int | None:
        """What the declaration says; None where the lock counts."""

    @property
    def min_reader(self) -> int:
        """The oldest version whose readers are given this one; older ones leave it to others."""

    @property
    def schema(self) -> Node:
        """JSON Schema of the documents."""

    def decode(self, document: Any) -> Any:
        """The value of a document of this version; raises whatever it likes where it is none."""

    def reads(self, version: int) -> bool:
        """Do upcasts lead from this older version to this one?"""

    def upcast(self, document: Any, version: int) -> Any:
        """A document of an older version as one of this one."""

    def republish(self, document: Any) -> Any:
        """The document that a reader of this one, which changes nothing, sends on."""

    def returned(self, document: Any) -> Any:
        """The document as producers write it, brought up again."""


@dataclass(frozen=True)
class TaskContract:
    """Of a task: what its calls look like, as an object with a property for each parameter."""

    name: str
    signature: Signature
    kind: str = TASK
    version: None = None
    min_reader: int = 1

    @property
    def schema(self) -> Node:
        """Of its calls."""
        return self.signature.schema()

    def decode(self, document: Mapping[str, Any]) -> Any:
        """The arguments in their types.

        Raises:
            DecodeError: they do not fit.
        """
        return self.signature.check(document)

    def reads(self, _version: int) -> bool:
        """Calls have no upcasts."""
        return False

    def upcast(self, document: Any, _version: int) -> Any:
        """The document as it is."""
        return document

    def republish(self, document: Any) -> Any:
        """The document as it is: a job that is put back keeps its bytes."""
        return document

    def returned(self, document: Any) -> Any:
        """The document as it is."""
        return document


@dataclass(frozen=True)
class MessageContract:
    """Of a message class."""

    declared: Declared
    kind: str = MESSAGE

    @property
    def name(self) -> str:
        """The message's."""
        return self.declared.name

    @property
    def version(self) -> int:
        """The class's."""
        return self.declared.version

    @property
    def min_reader(self) -> int:
        """The class's."""
        return self.declared.min_reader

    @property
    def schema(self) -> Node:
        """Of the class, with the old names of its fields."""
        found = aliased(inlined(derive(self.declared.kind)), self.declared.aliases)
        return {**found, "x-reserved": list(self.declared.reserved)} if self.declared.reserved else found

    def decode(self, document: Any) -> Any:
        """A value of the class; raises what decoding raises."""
        return decode(document, self.declared.kind)

    def reads(self, version: int) -> bool:
        """Does a step lead on from there, at once or later?"""
        return any(has_step(self.name, at) for at in range(version, self.version))

    def upcast(self, document: Any, version: int) -> Any:
        """The document, brought up as a worker does it."""
        stamped = {self.name: (version, self.min_reader)}
        return brought_up(inspect.type_info(self.declared.kind), document, stamped)

    def republish(self, document: Any) -> Any:
        """What a handler sends on that was given it."""
        origins, value = Origins(JSON.plain), self.decode(document)
        origins.remember(value, document)
        return origins.laying().document(value)

    def returned(self, document: Any) -> Any:
        """The document as producers write it, brought up again."""
        return self.upcast(brought_down(self.declared, document), self.declared.written[0])


def contracts(app: Postroom) -> Iterable[Contract]:
    """One for each task and each message; not for hooks, whose calls are Postroom's own.

    Raises:
        ConfigError: an annotation names what is not there.
    """
    for name in sorted(app.tasks.keys() - app.hooks.keys()):
        task = app.tasks[name]
        yield TaskContract(name, Signature(task.function, task.signature.types if task.signature else {}))
    yield from map(MessageContract, declared_messages())
