"""Progress: how far a job is, as its handler says."""

import math
from dataclasses import dataclass

import msgspec


@dataclass(frozen=True, slots=True)
class Progress:
    """`done` of `total`, in whatever the handler counts."""

    done: float
    total: float | None = None
    """None where it does not know."""

    @classmethod
    def of(cls, done: float, total: float | None = None) -> "Progress":
        """Raises:
        ValueError: one of them is no number of 0 or more.
        """
        for name, value in (("done", done), ("total", total)):
            if name == "total" and value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
                raise ValueError(f"set_progress: {name}={value!r}: give a number of 0 or more")
        return cls(done, total)

    @classmethod
    def read(cls, stored: bytes | None) -> "Progress | None":
        """From the job's hash; None where nothing was said, or nothing that can be read."""
        try:
            return cls(*msgspec.json.decode(stored or b"", type=tuple[int | float, int | float | None]))
        except msgspec.MsgspecError:
            return None

    @property
    def text(self) -> str:
        """As it stands in the job's hash."""
        return msgspec.json.encode((self.done, self.total)).decode()

    @property
    def share(self) -> float | None:
        """0 to 1; None where the total is not known."""
        return None if self.total is None else min(1.0, self.done / self.total) if self.total else 1.0
