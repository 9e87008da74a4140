"""`python -m benchmarks`: every measure of every contender on every server, in turn, as often as is asked."""

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime

import click

from benchmarks import contenders, measures
from benchmarks.contender import Contender
from benchmarks.machine import load, machine, versions
from benchmarks.measure import Measure
from benchmarks.processes import ROOT
from benchmarks.report import Reading, Report
from benchmarks.servers import SETTINGS, Server, programs


@click.command()
@click.option("--runs", type=click.IntRange(1), default=3, show_default=True, help="How often each is measured.")
@click.option("--jobs", type=click.IntRange(2_000), default=20_000, show_default=True, help="Jobs of the fastest.")
@click.option("--only", multiple=True, metavar="WORD", help="A measure, contender or server; may be repeated.")
@click.option("--save", is_flag=True, help="Write the raw numbers to docs/benchmarks/.")
def main(runs: int, jobs: int, only: tuple[str, ...], save: bool) -> None:
    """Measure Postroom and its peers side by side on this machine, and print the table of docs/benchmarks.md.

    In each run every contender has its turn (A B C A B C), on an empty server without persistence.
    """
    chosen = _Chosen(only)
    about = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "machine": machine(),
        "versions": versions(),
        "server_settings": " ".join(setting or '""' for setting in SETTINGS),
        "load_before": load(),
    }
    _say(f"{about['machine']}; " + ", ".join(f"{name} {number}" for name, number in versions().items()))
    _say(f"servers: {about['server_settings']}; load before: {about['load_before']}")
    began = time.monotonic()
    with ExitStack() as stack:
        servers = [stack.enter_context(Server(program)) for program in chosen.programs]
        turns = [turn for _ in range(runs) for turn in chosen.turns(servers)]
        readings: list[Reading] = []
        for number, (measure, server, contender) in enumerate(turns):
            run = number * runs // len(turns) + 1
            _say(
                f"[{number + 1}/{len(turns)}] run {run} · {server.name} · {measure.name} · {contender.name} …", end=" "
            )
            server.client.flushall()
            try:
                count, found = measure.run(contender, server, jobs)
            except RuntimeError as error:
                raise click.ClickException(str(error)) from error
            _say(", ".join(f"{value:,.0f} {figure.unit}" for figure, value in found.items()))
            readings += [Reading(figure, server.name, contender.name, count, value) for figure, value in found.items()]
    about |= {"load_after": load(), "seconds": round(time.monotonic() - began)}
    _say(f"{about['seconds']} s; load after: {about['load_after']}\n")
    report = Report(readings)
    print("\n".join([report.table(), "", *report.summary()]))
    if save:
        path = ROOT / f"docs/benchmarks/{about['date']}.json"
        report.save(path, about)
        _say(f"raw numbers: {path.relative_to(ROOT)}")


class _Chosen:
    """What `--only` leaves of measures, contenders and servers: of each kind, those named; all, where none is."""

    def __init__(self, words: Iterable[str]) -> None:
        by_measure = {measure.name: measure for measure in measures.ALL}
        by_contender = {_word(contender): contender for contender in contenders.ALL}
        by_server = programs()
        for word in words:
            if word not in {*by_measure, *by_contender, *by_server}:
                known = ", ".join([*by_measure, *by_contender, *by_server])
                raise click.BadParameter(f"{word!r} is none of: {known}", param_hint="--only")
        self.measures = [by_measure[w] for w in words if w in by_measure] or list(by_measure.values())
        self.contenders = [by_contender[w] for w in words if w in by_contender] or list(by_contender.values())
        self.programs = [by_server[w] for w in words if w in by_server] or list(by_server.values())

    def turns(self, servers: list[Server]) -> Iterator[tuple[Measure, Server, Contender]]:
        """One run: each measure with each contender beside the others."""
        for measure in self.measures:
            for server in servers:
                for contender in self.contenders:
                    if measure.suits(contender):
                        yield measure, server, contender


def _word(contender: Contender) -> str:
    return contender.name.lower().replace(" ", "-")


def _say(text: str, end: str = "\n") -> None:
    print(text, end=end, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
