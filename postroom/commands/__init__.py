"""The `postroom` command: one file per verb."""

import click

from postroom.commands.dead import dead
from postroom.commands.demo import demo
from postroom.commands.info import info
from postroom.commands.scheduler import scheduler
from postroom.commands.server import server
from postroom.commands.why import why
from postroom.commands.worker import worker


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="postroom", prog_name="postroom")
def cli() -> None:
    """Postroom: hand a job over the counter and walk away."""


for command in (worker, scheduler, info, why, dead, server, demo):
    cli.add_command(command)
