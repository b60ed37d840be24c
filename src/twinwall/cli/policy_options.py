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
    """The options as the reader takes them.  Raises `click.BadParameter` for what is no reference or no CIDR."""
    from twinwall.formats.aws.options import AwsOptions  # noqa: PLC0415 - most policies are not AWS exports

    contents: dict[str, tuple[str, ...]] = {}
    _refuse_others(home_net, "--home-net")
    for reference in references:
        name, equals, cidrs = reference.partition("=")
        if not equals or not name or not cidrs:
            raise click.BadParameter(f"{reference!r} is not NAME=CIDR[,CIDR…]", param_hint="--reference")
        contents[name] = tuple(cidrs.split(","))
        _refuse_others(contents[name], "--reference")
    return AwsOptions(home_net=home_net, references=contents)


def _refuse_others(cidrs: tuple[str, ...], option: str) -> None:
    """Raise `click.BadParameter` for what is no CIDR: also where the export turns out not to need it."""
    from twinwall.formats.aws.addresses import parse_network  # noqa: PLC0415 - see `aws_options`

    for cidr in cidrs:
        if parse_network(cidr) is None:
            raise click.BadParameter(f"{cidr!r} is not an address or a CIDR such as 10.20.0.0/16", param_hint=option)


def read_reported(paths: tuple[str, ...], options: AwsOptions) -> tuple[Policy | None, Reading]:
    """Read a policy; print its diagnostics where errors go.

    Raises `click.UsageError` if there are options for an export and the policy is none.
    """
    from twinwall.formats.load import read_policy  # noqa: PLC0415 - `--help` needs none of it

    reading = read_policy(paths, options)
    if reading.policy is not None and reading.report is None and (options.home_net or options.references):
        raise click.UsageError(
            f"--home-net and --reference are for AWS exports; {paths[0]} is none, and defines its own variables"
        )
    for diagnostic in reading.diagnostics:
        complain(str(diagnostic))
    return reading.policy, reading
