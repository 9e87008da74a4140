"""The fault table: one row for each case, its verdicts added up, in Markdown; and the README's, a row for each kind."""

import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

from benchmarks.machine import machine
from tests.fault.verdict import Verdict

README = Path(__file__).parents[2] / "README.md"
FOLDER = README.parent / "docs" / "faults"
BEGIN, END = "<!-- faults: written by `make fault ARGS=--save` -->\n", "<!-- end of faults -->\n"
KINDS = {
    "a process is killed, stopped or cut off at each command": ("points",),
    "each call of each script fails": ("lines",),
    "requests and replies are lost, late, or unanswered": ("replies", "half_open"),
    "kill -9 of a worker process every half second": ("storm",),
    "a pool dies, or a whole host": ("pool killed", "host lost"),
    "processes stand still for three leases": ("child stopped", "pool stopped", "group stopped"),
    "deploys under load, of three versions in every order": ("deploy", "slow first", "versions", "upgrade"),
    "jobs that kill or hang their process": ("poison",),
    "payloads made wrong, in every codec": ("fuzz",),
    "schedulers are killed and stopped, their clocks apart": ("cron", "clocks"),
    "kill -9 among jobs that have keys": ("keys",),
    "kill -9 among jobs that are unique": ("unique",),
    "kill -9 among jobs with limits": ("limits",),
    "kill -9 among jobs with deadlines and children": ("deadlines",),
    "the server is killed, paused, full, forgets its scripts": ("restart", "pause", "maxmemory", "flush"),
    "made-up sequences of calls, compared with a model": ("model",),
    "*control:* plain RQ 3.0, struck likewise": ("control RQ",),
    "*control:* ours with a check taken out": (
        "control",
        "keys: control",
        "unique: control",
        "limits: control",
        "deadlines: control",
    ),
}
"""Kinds of cases, each with how the names of its cases begin; a case is of the kind with the longest such beginning."""
KIND_HEAD = """\
| what is broken | acknowledged | lost | completed twice | ran again | slowest recovery |
|---|--:|--:|--:|--:|--:|
"""
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
    before, _, rest = README.read_text().partition(BEGIN)
    README.write_text(f"{before}{BEGIN}{kinds(verdicts)}{END}{rest.partition(END)[2]}")
    return path


def kinds(verdicts: Sequence[Verdict]) -> str:
    """One row for each kind of case.

    Raises:
        KeyError: a case is of no kind.
    """
    found: dict[str, list[Verdict]] = {kind: [] for kind in KINDS}
    begins = {begin: kind for kind, some in KINDS.items() for begin in some}
    for one in verdicts:
        begin = max((begin for begin in begins if one.case.startswith(begin)), key=len, default=one.case)
        found[begins[begin]].append(one)
    return KIND_HEAD + "".join(_kind(kind, some) for kind, some in found.items() if some)


def _kind(kind: str, some: Sequence[Verdict]) -> str:
    red = " **RED**" if any(one.red for one in some) else ""
    sums = (sum(one.lost for one in some), sum(one.duplicate_completions for one in some))
    cells = [f"{kind}{red}", f"{sum(one.acked for one in some):,}", *map(str, sums)]
    cells += [f"{sum(one.duplicate_runs for one in some):,}", _seconds([one.recover_max for one in some])]
    return f"| {' | '.join(cells)} |\n"


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
