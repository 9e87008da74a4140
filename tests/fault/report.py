"""The fault table: one row for each case, its verdicts added up, in Markdown."""

import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

from benchmarks.machine import machine
from tests.fault.verdict import Verdict

FOLDER = Path(__file__).parents[2] / "docs" / "faults"
HEAD = """\
| case | trials | acknowledged | lost | completed twice | ran again | recovery p50 | p99 | slowest |
|---|--:|--:|--:|--:|--:|--:|--:|--:|
"""


def table(verdicts: Sequence[Verdict]) -> str:
    """All rows, in the order of the run."""
    return HEAD + "".join(_row(case, list(some)) for case, some in groupby(verdicts, key=lambda one: one.case))


def save(verdicts: Sequence[Verdict], about: str) -> Path:
    """Write the lines and the table to docs/faults/; the table's file."""
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "results.jsonl").write_text("".join(f"{one.line()}\n" for one in verdicts))
    path = FOLDER / "results.md"
    date = datetime.now(UTC).strftime("%Y-%m-%d")
    told = f"{date} · {machine()} · Python {platform.python_version()} · {about}"
    path.write_text(f"# What was broken, and what came of it\n\n{told}\n\n{table(verdicts)}")
    return path


def _row(case: str, some: Sequence[Verdict]) -> str:
    cells = [
        f"{case}{' **RED**' if any(one.red for one in some) else ''}",
        str(len(some)),
        f"{sum(one.acked for one in some):,}",
        str(sum(one.lost for one in some)),
        str(sum(one.duplicate_completions for one in some)),
        str(sum(one.duplicate_runs for one in some)),
        _seconds([one.recover_p50 for one in some]),
        _seconds([one.recover_p99 for one in some]),
        _seconds([one.recover_max for one in some]),
    ]
    return f"| {' | '.join(cells)} |\n"


def _seconds(found: Sequence[float | None]) -> str:
    """The worst trial's."""
    known = [one for one in found if one is not None]
    return f"{max(known):.2f} s" if known else ""
