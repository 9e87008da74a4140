"""`python -m tests.fault`: run the cases, print a JSON line for each verdict, and exit 1 where one is red."""

import sys
from collections.abc import Sequence

import click

from tests.fault import report
from tests.fault.cases import ALL
from tests.fault.ground import Ground
from tests.fault.verdict import Verdict
from tests.servers import Server


@click.command()
@click.option("--case", "names", multiple=True, type=click.Choice(sorted(ALL)), help="Only this one; may be repeated.")
@click.option("--seed", default=1, show_default=True, help="Of all that is random.")
@click.option("--jobs", type=click.IntRange(100), default=50_000, show_default=True, help="Jobs of the large cases.")
@click.option("--short", is_flag=True, help="The form that is part of `make test`.")
@click.option("--save", is_flag=True, help="Write the lines and their table to docs/faults/.")
def main(names: Sequence[str], seed: int, jobs: int, short: bool, save: bool) -> None:
    """Break things on purpose, and account for every job."""
    verdicts: list[Verdict] = []
    with Server() as server:
        ground = Ground(server.url, seed, jobs, short)
        for name in names or ALL:
            for verdict in ALL[name](ground):
                verdicts.append(verdict)
                print(verdict.line(), flush=True)
    if save:
        print(report.save(verdicts, f"seed {seed}, {jobs:,} jobs"), file=sys.stderr)
    red = [verdict.case for verdict in verdicts if verdict.red]
    if red:
        print(f"{len(red)} red: {', '.join(red)}", file=sys.stderr)
    sys.exit(bool(red))


if __name__ == "__main__":
    main()
