"""`postroom alerts`: how the alert rules stand, a round from outside, and a notice to try the way."""

import json
import time
from datetime import UTC, datetime
from typing import Any

import click
from rich.table import Table

from postroom.commands.dead_options import ago, console, plain
from postroom.commands.target import json_option, log_to_terminal, quick_app, url_option
from postroom.jobs.app import Postroom
from postroom.jobs.errors import ConfigError, PostroomError
from postroom.jobs.failure import one_line
from postroom.monitor.alerts import FILE, find_rules
from postroom.monitor.alerts.duties import deliver, judge, send, states
from postroom.monitor.alerts.notice import Notice, State
from postroom.monitor.alerts.rules import Rule, Rules, read_rules
from postroom.monitor.alerts.webhook import NotTaken, Refused


@click.group()
def alerts() -> None:
    """The alert rules of this project's postroom-alerts.toml."""


@alerts.command("list")
@url_option
@json_option
def list_(url: str | None, as_json: bool) -> None:
    """List the rules as they stood when a worker or scheduler judged them last."""
    app = quick_app(url)
    _print(states(app, _rules(app)), as_json)


@alerts.command()
@url_option
@json_option
@click.pass_context
def check(ctx: click.Context, url: str | None, as_json: bool) -> None:
    """Judge the rules now, and deliver what there is to tell. Exit code 1: a rule fires.

    For cron or a monitoring system on another machine: where no worker and no scheduler is left, nobody else can tell.
    """
    log_to_terminal(verbose=False)
    app = quick_app(url)
    rules = _rules(app)
    try:
        judged = judge(app, rules)
    finally:
        deliver(app, rules)  # one rule that cannot be judged keeps no other's notice
    _print(list(judged), as_json)
    if any(state.firing for _, state in judged):
        ctx.exit(1)


@alerts.command()
@click.argument("name", metavar="RULE")
@url_option
@json_option
@click.pass_context
def test(ctx: click.Context, name: str, url: str | None, as_json: bool) -> None:
    """Send a test notice to the targets of RULE, and say what came back. Exit code 1: one does not take it."""
    log_to_terminal(verbose=False)
    rules = _rules(quick_app(url))
    rule = next((rule for rule in rules.rules if rule.name == name), None)
    if rule is None:
        names = ", ".join(rule.name for rule in rules.rules) or "none"
        raise PostroomError(f"{rules.path} has no rule {name!r}; there are: {names}")
    results = {target: _try(rules, rule, target) for target in rule.notify}
    for target, (took, said) in results.items():
        if as_json:
            click.echo(json.dumps({"rule": name, "target": target, "took": took, "said": said}))
        else:
            click.echo(f"{plain(target)}: {plain(said)}")
    if not all(took for took, _ in results.values()):
        ctx.exit(1)


def _try(rules: Rules, rule: Rule, target: str) -> tuple[bool, str]:
    """Did it take it, and what came back?"""
    now = time.time()
    text = f"{rule.name}: a test, nothing is wrong"
    try:
        return True, send(
            rules, Notice(f"alert-test-{int(now * 1000)}", target, rule.name, "test", text, None, now, now)
        )
    except (Refused, NotTaken) as error:
        return False, one_line(error)


def _rules(app: Postroom) -> Rules:
    path = find_rules(app.settings)
    if path is None:
        raise ConfigError(f"there are no alert rules: write {FILE}, or set POSTROOM_ALERTS to the name of such a file")
    return read_rules(path)


def _print(rules: list[tuple[Rule, State | None]], as_json: bool) -> None:
    if as_json:
        for rule, state in rules:
            click.echo(json.dumps(_as_dict(rule, state)))
        return
    now = time.time()
    table = Table()
    for column in ("rule", "state", "for", "found"):
        table.add_column(column)
    for rule, state in rules:
        word, since = _word(state), ago(state.since, now) if state else ""
        table.add_row(plain(rule.name), word, since, plain(state.text) if state else "")
    console().print(table)


def _as_dict(rule: Rule, state: State | None) -> dict[str, Any]:
    since = datetime.fromtimestamp(state.since, UTC).isoformat() if state else None
    text, value = (state.text, state.value) if state else (None, None)
    return {"rule": rule.name, "state": _word(state), "since": since, "value": value, "text": text}


def _word(state: State | None) -> str:
    if state is None:
        return "not judged yet"
    return "firing" if state.firing else "ok"
