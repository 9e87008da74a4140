"""`python -m tests.fault`: run the cases, print a JSON line for each verdict, and exit 1 where one is red."""

import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import as_completed

import click

from tests.fault import report
from tests.fault.cases import ALL
from tests.fault.ground import Ground
from tests.fault.lanes import SHORT, Lanes
from tests.fault.verdict import Verdict
from tests.servers import Server

FULL = 50_000
"""Jobs of the large cases."""


@click.command()
@click.option("--case", "names", multiple=True, type=click.Choice(sorted(ALL)), help="Only this one; may be repeated.")
@click.option("--seed", default=1, show_default=True, help="Of all that is random.")
@click.option("--jobs", type=click.IntRange(100), help=f"Jobs of the large cases: {FULL:,}, {SHORT:,} with --short.")
@click.option("--short", is_flag=True, help="The form that is part of `make test`.")
@click.option("--save", is_flag=True, help="Write the lines and their table to docs/faults/.")
def main(names: Sequence[str], seed: int, jobs: int | None, short: bool, save: bool) -> None:
    """Break things on purpose, and account for every job."""
    verdicts: list[Verdict] = []
    jobs = jobs or (SHORT if short else FULL)
    for verdict in (played_short if short else played)(names or tuple(ALL), seed, jobs):
        verdicts.append(verdict)
        print(verdict.line(), flush=True)
    if save:
        print(report.save(verdicts, f"seed {seed}, {jobs:,} jobs"), file=sys.stderr)
    red = [verdict.case for verdict in verdicts if verdict.red]
    if red:
        print(f"{len(red)} red: {', '.join(red)}", file=sys.stderr)
    sys.exit(bool(red))


def played(names: Sequence[str], seed: int, jobs: int) -> Iterator[Verdict]:
    """One case after another, on one server."""
    with Server() as server:
        for name in names:
            yield from ALL[name](Ground(server.url, seed, jobs))


def played_short(names: Sequence[str], seed: int, jobs: int) -> Iterator[Verdict]:
    """The short form, as the cases end."""
    with Lanes(names, seed, jobs) as lanes:
        for found in as_completed(lanes.verdicts.values()):
            yield from found.result()


if __name__ == "__main__":
    main()
