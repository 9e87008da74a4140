"""Several observers at once, one of which fails: the others and the work do not notice."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import pytest

from postroom.jobs.observers import Execution, Observer, Observers
from postroom.jobs.secrets import Veil

EXECUTION = Execution("job-1", "mail", "send", 1, 2, None, {}, "w1", Veil)


class Noting(Observer):
    """Notes when it is entered and left."""

    def __init__(self, name: str, notes: list[str]) -> None:
        self._name, self._notes = name, notes

    @contextmanager
    def _around(self) -> Iterator[None]:
        self._notes.append(f"{self._name} in")
        try:
            yield
        finally:
            self._notes.append(f"{self._name} out")

    def processing(self, execution: Execution) -> AbstractContextManager[object]:
        return self._around()


class Broken(Observer):
    """Fails."""

    def processing(self, execution: Execution) -> AbstractContextManager[object]:
        raise ValueError("no")


@pytest.mark.parametrize(
    ("several", "noted"),
    [
        ("a", ["a in", "work", "a out"]),
        ("ab", ["a in", "b in", "work", "b out", "a out"]),
        ("axb", ["a in", "b in", "work", "b out", "a out"]),
        ("x", ["work"]),
        ("xa", ["a in", "work", "a out"]),
    ],
)
@pytest.mark.parametrize("fails", [False, True])
def test_each_is_around_the_work(several: str, noted: list[str], fails: bool) -> None:
    notes: list[str] = []
    observers = Observers()
    for name in several:
        observers.add(Broken() if name == "x" else Noting(name, notes))
    with pytest.raises(KeyError, match="the handler") if fails else nullcontext(), observers.processing(EXECUTION):
        notes.append("work")
        if fails:
            raise KeyError("the handler's")
    assert notes == noted
