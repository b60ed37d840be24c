"""`twinwall completion SHELL`: the script that makes a shell complete commands, options and files."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_TWINWALL_COMPLETE"  # where click looks for a shell that asks, for a program of this name


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
def command(shell: str) -> None:
    """Print the completion script of SHELL; docs/command-line.md says where to put it."""
    from twinwall.cli.main import cli  # noqa: PLC0415 - the two import each other

    kind = get_completion_class(shell)
    assert kind is not None, "click knows the shells in SHELLS"
    click.echo(kind(cli, {}, "twinwall", VARIABLE).source())
