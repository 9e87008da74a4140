"""The suite: which measure is done with whom and where, and its turns: A B C, A B C, A B C."""

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from statistics import mean

import click

from benchmarks import contenders, measures
from benchmarks.contender import Contender
from benchmarks.environments import Absent, environment
from benchmarks.measure import Measure
from benchmarks.report import Reading, shown
from benchmarks.servers import Server, programs


@dataclass(frozen=True, slots=True)
class Turn:
    """One measure with one contender on one server."""

    run: int
    measure: Measure
    server: Server
    contender: Contender


@dataclass(slots=True)
class Outcome:
    """What came of a suite."""

    readings: list[Reading] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    """One line for each turn that failed."""


class Suite:
    """What `--only` leaves of measures, contenders and servers: of each kind, those named; all, where none is."""

    def __init__(self, words: Iterable[str], seconds: int) -> None:
        by_measure = measures.named(seconds)
        by_contender = {_word(contender): contender for contender in contenders.ALL}
        by_server = programs()
        for word in words:
            if word not in {*by_measure, *by_contender, *by_server}:
                known = ", ".join([*by_measure, *by_contender, *by_server])
                raise click.BadParameter(f"{word!r} is none of: {known}", param_hint="--only")
        self.measures = [by_measure[w] for w in words if w in by_measure] or list(measures.USUAL)
        self.programs = [by_server[w] for w in words if w in by_server] or list(by_server.values())
        self.contenders = [by_contender[w] for w in words if w in by_contender] or list(contenders.ALL)
        self.absent: dict[str, str] = {}
        """Who cannot take part on this machine, and why."""

    def install(self) -> None:
        """Install the peers that are not yet; those that cannot be are left out, loudly."""
        for contender in self.contenders:
            try:
                environment(contender.peer)
            except Absent as error:
                self.absent[contender.name] = str(error)
                say(f"ABSENT: {contender.name}: {error}")
        self.contenders = [one for one in self.contenders if one.name not in self.absent]

    def measure(self, runs: int, jobs: int) -> Outcome:
        """Everything in turn; a contender that fails is said to, and the others go on."""
        outcome = Outcome()
        with ExitStack() as stack:
            servers = [stack.enter_context(Server(program)) for program in self.programs]
            turns = list(self._turns(servers, runs))
            clock = _Clock(turns)
            for number, turn in enumerate(turns):
                place = f"run {turn.run} · {turn.server.name} · {turn.measure.name} · {turn.contender.name}"
                say(f"[{number + 1}/{len(turns)}, {clock.left(number)}] {place} …", end=" ")
                turn.server.client.flushall()
                turn.server.client.config_resetstat()
                try:
                    with clock.timing(turn):
                        count, found = turn.measure.run(turn.contender, turn.server, jobs)
                except RuntimeError as error:
                    say(f"FAILED\n{error}")
                    outcome.failures.append(f"{place}: {str(error).splitlines()[0]}")
                    continue
                say(", ".join(f"{shown(value)} {figure.unit}" for figure, value in found.items()))
                outcome.readings += [
                    Reading(figure, turn.server.name, turn.contender.name, count, value)
                    for figure, value in found.items()
                ]
        return outcome

    def _turns(self, servers: list[Server], runs: int) -> Iterator[Turn]:
        """Each run: each measure with each contender beside the others."""
        for run in range(1, runs + 1):
            for measure in self.measures:
                if run > 1 and not measure.repeats:
                    continue
                for server in servers:
                    for contender in self.contenders:
                        if measure.suits(contender):
                            yield Turn(run, measure, server, contender)


class _Clock:
    """How long turns took, and so how long the rest will take."""

    def __init__(self, turns: list[Turn]) -> None:
        self._turns = turns
        self._seconds: dict[tuple[str, str], float] = {}

    @contextmanager
    def timing(self, turn: Turn) -> Iterator[None]:
        """Remember how long the block takes."""
        began = time.monotonic()
        yield
        self._seconds[_kind(turn)] = time.monotonic() - began

    def left(self, number: int) -> str:
        """The time from turn `number` on: what was not timed yet takes as long as others did."""
        if not self._seconds:
            return "time left unknown"
        usual = mean(self._seconds.values())
        seconds = sum(self._seconds.get(_kind(turn), usual) for turn in self._turns[number:])
        return f"{seconds / 60:.0f} min left" if seconds >= 90 else f"{seconds:.0f} s left"


def say(text: str, end: str = "\n") -> None:
    """Tell who waits, at once."""
    print(text, end=end, file=sys.stderr, flush=True)


def _kind(turn: Turn) -> tuple[str, str]:
    return turn.measure.name, turn.contender.name


def _word(contender: Contender) -> str:
    return contender.name.lower().replace(" ", "-")
