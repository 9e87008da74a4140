"""`postroom check`: before a deploy, what it would break: of the locked schemas, or of a live server's jobs."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from postroom.commands.check_report import print_findings, print_judgements, progress
from postroom.commands.target import json_option, load_app, quick_app
from postroom.contracts.contract import contracts
from postroom.contracts.gate import Gate
from postroom.contracts.judge import Status, Wishes, judge, updated
from postroom.contracts.lock import FILE, Lock
from postroom.contracts.locked import schemas
from postroom.contracts.modes import Mode
from postroom.contracts.payloads import count
from postroom.jobs.app import Postroom
from postroom.jobs.codecs import CODECS
from postroom.jobs.errors import ConfigError


@click.command()
@click.argument("target", metavar="MODULE:app")
@click.option("--update", is_flag=True, help="Add what is new and allowed to the lock.")
@click.option(
    "--mode",
    "modes",
    multiple=True,
    metavar="[NAME=]MODE",
    help=f"Judge by this mode, with --update from now on; of one task or message, or of all. {', '.join(Mode)}.",
)
@click.option("--sample", "samples", multiple=True, metavar="NAME=FILE", help="The golden sample of a new version.")
@click.option("--retire", multiple=True, metavar="NAME", help="A task or message that is gone for good.")
@click.option(
    "--lock",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    default=FILE,
    show_default=True,
    help="The committed file.",
)
@click.option("--against", metavar="URL", help="Hold every job of this server against the tasks instead.")
@click.option("--queue", "queues", multiple=True, metavar="NAME", help="With --against: look at this queue only.")
@json_option
@click.pass_context
def check(
    ctx: click.Context,
    target: str,
    update: bool,
    modes: Sequence[str],
    samples: Sequence[str],
    retire: Sequence[str],
    path: Path,
    against: str | None,
    queues: Sequence[str],
    as_json: bool,
) -> None:
    """Tell what this checkout would break: old messages, old workers, or the jobs of a live server.

    Without --against the tasks and messages are held against the committed schemas.lock.json. Exit code 1: something
    breaks, or something new is not in the lock yet.
    """
    app = load_app(target)
    if against is not None:
        if update or modes or samples or retire:
            raise ConfigError("--against looks at a server, not at the lock: call it without the other options")
        ctx.exit(_gate(app, against, queues, as_json=as_json))
    if queues:
        raise ConfigError(f"--queue {queues[0]} is for --against: the lock knows no queues")
    wishes = Wishes(_modes(modes), {name: _sample(file) for name, file in map(_pair, samples)}, retire)
    lock = Lock.read(path)
    judged = judge(contracts(app), lock, wishes)
    open_ = [one for one in judged if one.added is not None and one.status is not Status.BREAKING]
    lacking = lock.lacks(schemas(app))
    broken = any(one.status is Status.BREAKING for one in judged)
    if update and (open_ or (lacking and not broken)):
        updated(lock, judged).with_schemas({} if broken else lacking).write(path)
    print_judgements(judged, path, update=update, as_json=as_json)
    for codec, some in lacking.items() if not update else ():
        click.echo(f"{len(some)} schemas of {CODECS[codec].title} are not in {path} yet: --update adds them.", err=True)
    ctx.exit(1 if broken or ((open_ or lacking) and not update) else 0)


def _gate(app: Postroom, url: str, queues: Sequence[str], *, as_json: bool) -> int:
    broker = quick_app(url).broker
    with progress(count(broker, queues)) as told:
        findings = Gate(app).inspect(broker, told, queues)
    print_findings(findings, broker.safe_url, as_json=as_json)
    return 1 if findings.problems else 0


def _modes(given: Sequence[str]) -> dict[str, Mode]:
    found: dict[str, Mode] = {}
    for text in given:
        name, _, mode = text.rpartition("=")
        if mode.upper() not in Mode.__members__:
            raise ConfigError(f"--mode {text}: {mode!r} is none of {', '.join(Mode)}")
        found[name] = Mode(mode.upper())
    return found


def _pair(text: str) -> tuple[str, Path]:
    name, equals, file = text.partition("=")
    if not equals or not name or not file:
        raise ConfigError(f"--sample {text}: write NAME=FILE, a file with the JSON of one message")
    return name, Path(file)


def _sample(file: Path) -> Any:
    try:
        return json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError(f"the sample {file} cannot be read: {error}") from error
