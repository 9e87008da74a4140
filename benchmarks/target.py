"""A target: a bound for one of our medians, or for its ratio to another median."""

from dataclasses import dataclass

from benchmarks.measure import Figure
from benchmarks.report import Report, shown


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a target on one server."""

    target: "Target"
    server: str
    value: float | None
    """None where it was not measured."""
    against: str
    """The contender that it was measured against; "" where the bound is for the median itself."""

    @property
    def reached(self) -> bool | None:
        """Whether it was reached; None where it was not measured."""
        return None if self.value is None else self.target.holds(self.value)

    @property
    def word(self) -> str:
        """The same, in words."""
        return {None: "not measured", True: "reached", False: "NOT reached"}[self.reached]

    def line(self) -> str:
        """All of it in one line."""
        what = f"{self.target.figure.name}: {self.target.bound_shown(self.against)}"
        value = "" if self.value is None else f" ({shown(self.value)})"
        return f"{self.server} · {what} · {self.word}{value}"


@dataclass(frozen=True, slots=True)
class Target:
    """At least `bound`, or at most."""

    ours: str
    """The contender that it is about."""
    figure: Figure
    bound: float
    at_most: bool = False
    against: tuple[str, ...] = ()
    """The contenders whose best median ours is divided by; nothing divides it where none is named."""
    over: Figure | None = None
    """The figure of those contenders, where it is another one."""

    def judge(self, report: Report, server: str) -> Verdict:
        """What became of it on a server."""
        ours = report.median(self.figure, server, self.ours)
        if not self.against:
            return Verdict(self, server, ours, "")
        over = self.over or self.figure
        medians = {name: report.median(over, server, name) for name in self.against}
        found = {name: value for name, value in medians.items() if value is not None}
        if ours is None or not found:
            return Verdict(self, server, None, "")
        best = (min if self.at_most else max)(found, key=lambda name: found[name])
        return Verdict(self, server, ours / found[best], best)

    def holds(self, value: float) -> bool:
        """Whether a value is within the bound."""
        return value <= self.bound if self.at_most else value >= self.bound

    def bound_shown(self, against: str = "") -> str:
        """The bound in words; `against` is the contender that it was measured against."""
        sign = "≤" if self.at_most else "≥"
        if not self.against:
            return f"{sign} {self.bound:g} {self.figure.unit}"
        over = f"'s {self.over.name}" if self.over and self.over != self.figure else ""
        named = against or " / ".join(self.against)
        return f"{sign} {self.bound:g} × {named}{over}"
