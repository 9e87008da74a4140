"""Which queue to claim from next."""

from collections.abc import Collection, Sequence

from postroom.jobs.errors import ConfigError
from postroom.jobs.options import check_queue_name


class Choice:
    """Chooses among queues that may have jobs.

    Without weights the order is strict: a queue is asked only when those before it are empty. With weights the choice
    is a smooth weighted round robin (nginx's: each round every candidate gains its weight, the richest is chosen and
    pays the sum), so that `high:5 low:1` gives low every sixth claim, and never five of high in a lump before it.
    """

    def __init__(self, queues: Sequence[str]) -> None:
        weights = [parse_weight(queue) for queue in queues]
        self.queues = tuple(dict.fromkeys(name for name, _ in weights))
        self._weights = {name: weight for name, weight in weights if weight is not None}
        if self._weights and len(self._weights) < len(self.queues):
            missing = next(name for name in self.queues if name not in self._weights)
            raise ConfigError(f"queue {missing!r} has no weight while others have: give all of them one, or none")
        self._wealth = dict.fromkeys(self.queues, 0)

    def next(self, candidates: Collection[str]) -> str | None:
        """The queue to claim from; None where there are no candidates."""
        if not self._weights:
            return next((name for name in self.queues if name in candidates), None)
        if not candidates:
            return None
        for name in candidates:
            self._wealth[name] += self._weights[name]
        chosen = max(candidates, key=self._wealth.__getitem__)
        self._wealth[chosen] -= sum(self._weights[name] for name in candidates)
        return chosen


def parse_weight(text: str) -> tuple[str, int | None]:
    """`high:5` → ("high", 5), `high` → ("high", None).

    Raises:
        ConfigError: the weight is not a whole number of at least 1, or the name cannot be a queue's.
    """
    name, colon, weight = text.rpartition(":")
    if not colon or not weight.lstrip("-").isdigit():
        check_queue_name(text)
        return text, None
    if int(weight) < 1:
        raise ConfigError(f"queue {text!r}: a weight must be at least 1")
    check_queue_name(name)
    return name, int(weight)
