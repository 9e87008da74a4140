"""What an app has contracts on: each of its tasks, and each of its messages."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from postroom.contracts.schema import Node
from postroom.contracts.signature import Signature
from postroom.jobs.app import Postroom

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


def contracts(app: Postroom) -> Iterable[Contract]:
    """One for each task, in the order of their names; not for hooks, whose calls are Postroom's own."""
    for name in sorted(app.tasks.keys() - app.hooks.keys()):
        yield TaskContract(name, Signature(app.tasks[name].function))
