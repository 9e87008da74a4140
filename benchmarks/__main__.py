"""`python -m benchmarks`: every measure of every contender on every server, in turn, as often as is asked."""

import json
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from benchmarks.contenders import BASE
from benchmarks.environments import ROOT, Absent, environment
from benchmarks.machine import load, machine
from benchmarks.page import has_drain, page, verdicts
from benchmarks.report import Report
from benchmarks.servers import SETTINGS
from benchmarks.suite import Suite, say

RESULTS = ROOT / "docs/benchmarks"


@click.command()
@click.option("--runs", type=click.IntRange(1), default=3, show_default=True, help="How often each is measured.")
@click.option("--jobs", type=click.IntRange(2_000), default=20_000, show_default=True, help="Jobs of the fastest.")
@click.option("--only", multiple=True, metavar="WORD", help="A measure, contender or server; may be repeated.")
@click.option("--seconds", type=click.IntRange(1), default=600, show_default=True, help="How long `retention` lasts.")
@click.option("--save", is_flag=True, help="Write page, numbers, chart to docs/benchmarks/.")
def main(runs: int, jobs: int, only: tuple[str, ...], seconds: int, save: bool) -> None:
    """Measure Postroom and its peers side by side on this machine, and print what docs/benchmarks/results.md shows.

    In each run every contender has its turn (A B C A B C), on an empty server without persistence. `retention` is done
    only when it is named.
    """
    suite = Suite(only, seconds)
    suite.install()
    about: dict[str, Any] = {
        "name": "-".join(("results", *only)),
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "machine": machine(),
        "versions": {one.name: environment(one.peer).versions for one in suite.contenders},
        "server_settings": " ".join(setting or '""' for setting in SETTINGS),
        "runs": runs,
        "load_before": load(),
        "absent": suite.absent,
    }
    say(f"{about['machine']}; {about['server_settings']}; load before: {about['load_before']}")
    began = time.monotonic()
    outcome = suite.measure(runs, jobs)
    about |= {"failures": outcome.failures, "seconds": round(time.monotonic() - began), "load_after": load()}
    say(f"{about['seconds']} s; load after: {about['load_after']}\n")
    report = Report(outcome.readings)
    print("\n".join([report.table(BASE.name), "", *(one.line() for one in verdicts(report) if one.value is not None)]))
    if save:
        _save(report, about, page(report, about, suite.contenders))
    if outcome.failures:
        raise click.ClickException("\n".join(outcome.failures))


def _save(report: Report, about: dict[str, Any], text: str) -> None:
    RESULTS.mkdir(parents=True, exist_ok=True)
    raw = RESULTS / f"{about['name']}.json"
    raw.write_text(json.dumps({**about, "rows": report.raw()}, indent=1) + "\n")
    raw.with_suffix(".md").write_text(text)
    if has_drain(report):
        _draw(raw)
    say(f"written: {raw.with_suffix('.md').relative_to(ROOT)}")


def _draw(raw: Path) -> None:
    try:
        python = environment("chart").program("python")
    except Absent as error:
        raise click.ClickException(f"no chart: {error}") from error
    subprocess.run([python, "-m", "benchmarks.chart", str(raw), str(RESULTS / "drain")], cwd=ROOT, check=True)


if __name__ == "__main__":
    main()
