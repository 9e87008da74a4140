"""The handle of one queue."""

from postroom.jobs import calls
from postroom.jobs.broker import Broker


class Queue:
    """A queue by its name. Cheap: everything is asked for."""

    __slots__ = ("_broker", "name")

    def __init__(self, name: str, broker: Broker) -> None:
        self.name = name
        self._broker = broker

    def __repr__(self) -> str:
        return f"Queue({self.name!r})"

    def __len__(self) -> int:
        """How many ids are on its list, those of canceled jobs that no claim has met yet included."""
        return self._broker.run(calls.length(self._broker.keys, self.name))

    def __bool__(self) -> bool:
        """A queue is a queue, also an empty one."""
        return True

    def pause(self) -> None:
        """Let no worker claim from it; running jobs go on. Workers hear of it with their next claim."""
        self._broker.run(calls.pause(self._broker.keys, self.name))

    def resume(self) -> None:
        """Let it be claimed from again; workers hear of it within a second."""
        self._broker.run(calls.pause(self._broker.keys, self.name, "resumed"))

    @property
    def paused(self) -> bool:
        """Is it paused?"""
        return self._broker.run(calls.is_paused(self._broker.keys, self.name))
