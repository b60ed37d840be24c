"""Reading a policy for a command: the options that an AWS export needs, and printing what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import click

from twinwall.cli.exit_codes import complain

if TYPE_CHECKING:
    from twinwall.formats.aws.options import AwsOptions
    from twinwall.formats.load import Reading
    from twinwall.policy.model import Policy

Command = TypeVar("Command", bound=Callable[..., object])


def policy_options(command: Command) -> Command:
    """Add the options of an AWS export to a command; they arrive as `home_net` and `references`."""
    command = click.option(
        "--home-net", multiple=True, metavar="CIDR", help="AWS: the inspection VPC's CIDR, the default of $HOME_NET."
    )(command)
    return click.option(
        "--reference",
        "references",
        multiple=True,
        metavar="NAME=CIDR[,CIDR…]",
        help="AWS: the contents of an IP set reference (@NAME), which exports leave out.",
    )(command)


def aws_options(home_net: tuple[str, ...], references: tuple[str, ...]) -> AwsOptions:
    """The options as the reader takes them.  Raises `click.BadParameter` for a reference of another form."""
    from twinwall.formats.aws.options import AwsOptions  # noqa: PLC0415 - most policies are not AWS exports

    contents: dict[str, tuple[str, ...]] = {}
    for reference in references:
        name, equals, cidrs = reference.partition("=")
        if not equals or not name or not cidrs:
            raise click.BadParameter(f"{reference!r} is not NAME=CIDR[,CIDR…]", param_hint="--reference")
        contents[name] = tuple(cidrs.split(","))
    return AwsOptions(home_net=home_net, references=contents)


def read_reported(paths: tuple[str, ...], options: AwsOptions) -> tuple[Policy | None, Reading]:
    """Read a policy; print its diagnostics where errors go."""
    from twinwall.formats.load import read_policy  # noqa: PLC0415 - `--help` needs none of it

    reading = read_policy(paths, options)
    for diagnostic in reading.diagnostics:
        complain(str(diagnostic))
    return reading.policy, reading
