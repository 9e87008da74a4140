"""`postroom dead`: dead letters, seen, explained and repaired."""

import click

from postroom.commands.dead_files import export, load
from postroom.commands.dead_look import list_, show
from postroom.commands.dead_move import purge, redrive, undo


@click.group()
def dead() -> None:
    """Dead letters: jobs that will not be tried again by themselves.

    Which ones: filters, that must all match; ids; or --all. What changes them says first what it will touch, and the
    last such action can be undone for 15 minutes.
    """


for command in (list_, show, redrive, purge, undo, export, load):
    dead.add_command(command)
