"""The `postroom` command: one file per verb, imported when called, so that a pool does not carry the others."""

from importlib import import_module

import click

VERBS = ("worker", "scheduler", "info", "why", "logs", "dead", "alerts", "events", "cron", "check", "server", "demo")


class Verbs(click.Group):
    """Each verb is the command of its own name in the module of its own name.

    After https://click.palletsprojects.com/en/stable/complex/#lazily-loading-subcommands.
    """

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """The names, as help lists them."""
        return sorted(VERBS)

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        """The command of this name; None where there is none."""
        if name not in VERBS:
            return None
        found: click.Command = getattr(import_module(f"postroom.commands.{name}"), name)
        return found


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="postroom", prog_name="postroom")
def cli() -> None:
    """Postroom: hand a job over the counter and walk away."""
