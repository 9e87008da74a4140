"""The page: docs/benchmarks/results.md."""

from collections.abc import Sequence
from typing import Any

from benchmarks import targets
from benchmarks.contender import Contender
from benchmarks.contenders import BASE
from benchmarks.measures import drain
from benchmarks.report import Report, shown
from benchmarks.target import Verdict


def verdicts(report: Report) -> list[Verdict]:
    """What became of every target on every server."""
    return [target.judge(report, server) for target in targets.ALL for server in report.servers]


def page(report: Report, about: dict[str, Any], taking_part: Sequence[Contender]) -> str:
    """The whole page in Markdown; `about` is what the raw numbers' file says beside its rows."""
    parts = [
        "# Results",
        "Written by `python -m benchmarks --save`. What is measured, and how: [benchmarks.md](../benchmarks.md).",
        _circumstances(report, about),
        *(["![Jobs per second of each contender's drain](drain.svg)"] if has_drain(report) else []),
        f"## Targets\n\n{targets_table(verdicts(report))}",
        f"## Contenders\n\n{_contenders_table(taking_part, about['versions'])}",
        *_missing(about),
        f"## Figures\n\n{report.table(BASE.name)}",
    ]
    return "\n\n".join(parts) + "\n"


def has_drain(report: Report) -> bool:
    """Whether there is anything to draw."""
    return any(row.figure == drain.ONE for row in report.rows)


def targets_table(judged: Sequence[Verdict]) -> str:
    """One row for each target that was measured, one column for each server."""
    servers = list(dict.fromkeys(one.server for one in judged))
    missing: list[str] = []
    lines = [
        f"| | target | {' | '.join(servers)} |",
        f"|---|---|{'--:|' * len(servers)}",
    ]
    for target in targets.ALL:
        of_target = [one for one in judged if one.target == target]
        if all(one.value is None for one in of_target):
            missing.append(f"{target.figure.name} {target.bound_shown()}")
            continue
        cells = " | ".join(_cell(one) for one in of_target)
        lines.append(f"| {target.figure.name} | {_bound(of_target)} | {cells} |")
    if missing:
        lines += ["", f"Not measured in this run: {', '.join(missing)}."]
    return "\n".join(lines)


def _bound(of_target: Sequence[Verdict]) -> str:
    target = of_target[0].target
    named = sorted({one.against for one in of_target if one.against})
    if len(target.against) > 1:
        return target.bound_shown(f"the best Python peer ({', '.join(named)})" if named else "the best Python peer")
    return target.bound_shown()


def _cell(verdict: Verdict) -> str:
    if verdict.value is None:
        return verdict.word
    value = shown(verdict.value)
    return f"{value} · reached" if verdict.reached else f"**{value} · not reached**"


def _circumstances(report: Report, about: dict[str, Any]) -> str:
    own = ", ".join(f"{name} {number}" for name, number in about["versions"]["Postroom"].items())
    return (
        f"{about['date']} · {about['machine']} · {own} · {' and '.join(report.servers)}, each one process with "
        f"`{about['server_settings']}` · medians of {about['runs']} · load {about['load_before']} before and "
        f"{about['load_after']} after · {about['seconds'] / 60:.0f} minutes · "
        f"[raw numbers]({about['name']}.json)"
    )


def _contenders_table(taking_part: Sequence[Contender], versions: dict[str, dict[str, str]]) -> str:
    lines = [
        "| contender | versions | settings | a killed worker's job; what is kept | the clock looks at |",
        "|---|---|---|---|---|",
    ]
    for one in taking_part:
        numbers = ", ".join(f"{name} {number}" for name, number in versions[one.name].items())
        lines.append(f"| {one.name} | {numbers} | {one.settings} | {one.guarantee} | {one.counted} |")
    return "\n".join(lines)


def _missing(about: dict[str, Any]) -> list[str]:
    absent = [f"- {name} took no part: {why}" for name, why in about["absent"].items()]
    failed = [f"- failed: {line}" for line in about["failures"]]
    return ["## Missing\n\n" + "\n".join([*absent, *failed])] if absent or failed else []
