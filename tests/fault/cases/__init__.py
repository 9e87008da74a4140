"""The cases, by name. Each takes a Ground and yields verdicts, one for each thing that it broke."""

from collections.abc import Callable, Iterator

from tests.fault.cases.storm import storm
from tests.fault.ground import Ground
from tests.fault.verdict import Verdict

Case = Callable[[Ground], Iterator[Verdict]]

ALL: dict[str, Case] = {case.__name__: case for case in (storm,)}
