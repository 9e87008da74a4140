"""The report: readings, their table in Markdown, and the raw numbers."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.contenders import BASE, OURS
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

    def __init__(self, readings: Sequence[Reading]) -> None:
        self._rows = list(_rows(readings))

    def table(self) -> str:
        """Every row in Markdown, with its ratio to RQ's."""
        lines = [
            f"| | server | contender | jobs | median | lowest … highest | ÷ {BASE.name} |",
            "|---|---|---|--:|--:|--:|--:|",
        ]
        for row in self._rows:
            cells = (
                row.figure.name,
                row.server,
                row.contender,
                f"{row.jobs:,}",
                f"{_shown(row.median)} {row.figure.unit}",
                f"{_shown(min(row.values))} … {_shown(max(row.values))}",
                _ratio(row, self._base(row)),
            )
            lines.append(f"| {' | '.join(cells)} |")
        return "\n".join(lines)

    def summary(self) -> list[str]:
        """The ratios that are asked for first: ours to RQ's in the drain, one line a server."""
        return [
            f"{row.server}: one {OURS.name} worker drains no-op jobs {row.median / base.median:.0f} times as fast as "
            f"{BASE.name} ({row.median:,.0f} and {base.median:,.0f} jobs/s, medians of {len(row.values)})"
            for row in self._rows
            if row.contender == OURS.name and row.figure.name == "drain" and (base := self._base(row))
        ]

    def save(self, path: Path, about: dict[str, Any]) -> None:
        """Write `about` and the raw numbers as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({**about, "rows": [asdict(row) for row in self._rows]}, indent=1) + "\n")

    def _base(self, row: Row) -> Row | None:
        place = (row.figure, row.server, BASE.name)
        return next((other for other in self._rows if (other.figure, other.server, other.contender) == place), None)


def _rows(readings: Sequence[Reading]) -> Iterator[Row]:
    """Figure by figure, server by server, in the order of their first readings."""
    groups: dict[tuple[Figure, str, str, int], list[float]] = {}
    for one in readings:
        groups.setdefault((one.figure, one.server, one.contender, one.jobs), []).append(one.value)
    figures = list(dict.fromkeys(figure for figure, *_ in groups))
    for place in sorted(groups, key=lambda place: figures.index(place[0])):
        yield Row(*place, tuple(groups[place]))


def _ratio(row: Row, base: Row | None) -> str:
    if base is None:
        return ""
    ratio = row.median / base.median
    return f"{ratio:.2f}" if ratio < 10 else f"{ratio:.0f}"


def _shown(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"
