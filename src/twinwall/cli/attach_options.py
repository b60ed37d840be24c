"""Where a policy is to be enforced, said on the command line, because exports cannot say it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import click

from twinwall.policy.model import Attach, Mode

Command = TypeVar("Command", bound=Callable[..., object])
LONGEST_NAME = 15  # of an interface


def attach_options(command: Command) -> Command:
    """Add the options; they arrive as `mode`, `inside` and `outside`, for `attached`."""
    for side, what in (("outside", "the networks that are not trusted"), ("inside", "the networks that it protects")):
        command = click.option(
            f"--{side}", multiple=True, metavar="INTERFACE", help=f"An interface towards {what}; repeat it for more."
        )(command)
    modes = click.Choice([mode.value for mode in Mode])
    return click.option("--mode", type=modes, help="What this machine is: by default what the policy's `attach` says.")(command)


def attached(attach: Attach | None, mode: str | None, inside: tuple[str, ...], outside: tuple[str, ...]) -> Attach | None:
    """The policy's `attach` with what the command line says instead.  Raises `click.BadParameter`."""
    for name in (*inside, *outside):
        if not name or len(name) > LONGEST_NAME or "/" in name or name.isspace():
            raise click.BadParameter(f"{name!r} is not an interface's name", param_hint="--inside/--outside")
    if set(inside) & set(outside):
        raise click.BadParameter("the same interface on both sides", param_hint="--inside/--outside")
    if mode is None and not inside and not outside:
        return attach
    said = attach or Attach()
    if inside or outside:
        said = replace(said, inside=inside, outside=outside)
    return replace(said, mode=Mode(mode)) if mode else said
