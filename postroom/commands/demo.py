"""`postroom demo`: the main job on real input."""

import click


@click.command()
def demo() -> None:
    """Parse every Python file of a folder, as jobs."""
