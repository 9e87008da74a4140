"""The report: readings of all runs, put together row by row."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from benchmarks.measure import Figure


@dataclass(frozen=True, slots=True)
class Reading:
    """One figure of one run."""

    figure: Figure
    server: str
    contender: str
    jobs: int
    value: float


@dataclass(frozen=True, slots=True)
class Row:
    """The readings of all runs of one figure, server and contender."""

    figure: Figure
    server: str
    contender: str
    jobs: int
    values: tuple[float, ...]
    """One for each run, in their order."""

    @property
    def median(self) -> float:
        """The middle one."""
        return median(self.values)


class Report:
    """All readings of one `python -m benchmarks`."""

    def __init__(self, readings: Iterable[Reading]) -> None:
        self.rows = tuple(_rows(list(readings)))
        self.servers = tuple(dict.fromkeys(row.server for row in self.rows))
        self._medians = {(row.figure, row.server, row.contender): row.median for row in self.rows}

    def median(self, figure: Figure, server: str, contender: str) -> float | None:
        """The median of a row; None where it was not measured."""
        return self._medians.get((figure, server, contender))

    def table(self, base: str) -> str:
        """Every row in Markdown, with its ratio to the contender `base`."""
        lines = [
            f"| | server | contender | jobs | median | lowest … highest | ÷ {base} |",
            "|---|---|---|--:|--:|--:|--:|",
        ]
        for row in self.rows:
            cells = (
                row.figure.name,
                row.server,
                row.contender,
                f"{row.jobs:,}",
                f"{shown(row.median)} {row.figure.unit}",
                f"{shown(min(row.values))} … {shown(max(row.values))}",
                _ratio(row.median, self.median(row.figure, row.server, base)),
            )
            lines.append(f"| {' | '.join(cells)} |")
        return "\n".join(lines)

    def raw(self) -> list[dict[str, Any]]:
        """The rows, to be written as JSON."""
        return [asdict(row) for row in self.rows]


def shown(value: float) -> str:
    """A number with as many digits as say something."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _rows(readings: Sequence[Reading]) -> Iterator[Row]:
    """Figure by figure, server by server, in the order of their first readings."""
    groups: dict[tuple[Figure, str, str, int], list[float]] = {}
    for one in readings:
        groups.setdefault((one.figure, one.server, one.contender, one.jobs), []).append(one.value)
    figures = list(dict.fromkeys(figure for figure, *_ in groups))
    for place in sorted(groups, key=lambda place: figures.index(place[0])):
        yield Row(*place, tuple(groups[place]))


def _ratio(value: float, base: float | None) -> str:
    return shown(value / base) if base else ""
