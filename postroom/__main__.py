"""`postroom …` and `python -m postroom …`."""

import sys

import click

from postroom.commands import cli
from postroom.jobs.errors import ConfigError, PostroomError, Unavailable

UNUSABLE, UNREACHABLE = 2, 3


def main() -> None:
    """Run the command. Exit codes: 0 done, 1 not so, 2 bad arguments or imports, 3 server unreachable."""
    try:
        cli()
    except ConfigError as error:
        click.echo(f"postroom: {error}", err=True)
        sys.exit(UNUSABLE)
    except Unavailable as error:
        click.echo(f"postroom: {error}", err=True)
        sys.exit(UNREACHABLE)
    except PostroomError as error:
        click.echo(f"postroom: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
