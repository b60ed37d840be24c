"""`twinwall render POLICY`: the policy as the script that `apply` gives to nft, printed; the kernel is not asked anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from twinwall.cli.attach_options import attach_options
from twinwall.cli.exit_codes import ExitCode
from twinwall.cli.policy_options import policy_options
from twinwall.cli.proposal import Asked
from twinwall.render.marks import GENERATIONS

if TYPE_CHECKING:
    from twinwall.policy.model import Policy


@click.command()
@click.argument("policy", type=click.Path())
@click.option(
    "--stateless",
    type=click.Choice(["xdp", "nft"]),
    default="xdp",
    show_default=True,
    help="Who judges packets alone: programs, which are no part of the ruleset, or a chain of it.",
)
@click.option(
    "--generation", type=click.IntRange(1, GENERATIONS), default=1, show_default=True, help="The number that connections carry."
)
@click.option("--settings", is_flag=True, help="Print the kernel settings instead, as a file of sysctl.d(5).")
@attach_options
@policy_options
def command(
    policy: str,
    stateless: str,
    generation: int,
    settings: bool,
    mode: str | None,
    inside: tuple[str, ...],
    outside: tuple[str, ...],
    home_net: tuple[str, ...],
    references: tuple[str, ...],
) -> int:
    """Print POLICY as an nftables ruleset; nothing is changed, and the kernel is not asked.

    The script replaces twinwall's own tables in one transaction: `nft -c -f FILE` checks it.  Every element carries the sid of
    the rule that it came from.  What Linux cannot do is refused by name, with exit code 3.
    """
    gathered = Asked(policy, stateless, False, mode, inside, outside, home_net, references).gather()
    if gathered is None:
        return ExitCode.POLICY
    assert gathered.reading.policy is not None
    assert gathered.source is not None
    if settings:
        text = settings_text(gathered.reading.policy)
    else:
        text = ruleset_text(gathered.reading.policy, stateless, generation, gathered.source.digest)
    click.echo(text, nl=False)
    return ExitCode.FINE


def ruleset_text(policy: Policy, stateless: str, generation: int, digest: str) -> str:
    """The ruleset.  Raises `PolicyError`."""
    from twinwall.render.options import QueueWay, RenderOptions, StatelessWay  # noqa: PLC0415 - `--help` needs none of it
    from twinwall.render.ruleset import render_ruleset  # noqa: PLC0415

    options = RenderOptions(generation, StatelessWay(stateless), QueueWay.NATIVE, digest=digest)
    return render_ruleset(policy, options).text


def settings_text(policy: Policy) -> str:
    """The kernel settings.  Raises `PolicyError`."""
    from twinwall.render.sysctls import render_sysctls, unsupported_tracking  # noqa: PLC0415 - `--help` needs none of it
    from twinwall.render.unsupported import refuse  # noqa: PLC0415

    refuse(unsupported_tracking(policy), policy)
    return "".join(f"# {each.why}\n{each.name} = {each.value}\n" for each in render_sysctls(policy))
