"""Where a command that watches the kernel gets its rules from: the state folder, or a policy that the user names."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from twinwall.enforce.rulebook import Rules

Command = TypeVar("Command", bound=Callable[..., object])


def rules_options(command: Command) -> Command:
    """Add `--policy` and `--state` to a command; they arrive as `policy` and `state`."""
    command = click.option(
        "--state", type=click.Path(), metavar="DIR", help="The state folder.  [default: $TWINWALL_STATE or /var/lib/twinwall]"
    )(command)
    return click.option(
        "--policy", type=click.Path(), metavar="POLICY", help="Name rules by this policy instead of the one in force."
    )(command)


def open_rules(policy: str | None, state: str | None) -> Rules:
    """The rules that the options ask for.  Raises `PolicyError` or `EnforcementError`."""
    from twinwall.enforce.rulebook import FixedRules, RuleBook, RulesInForce  # noqa: PLC0415 - `--help` needs none of it
    from twinwall.enforce.state import State  # noqa: PLC0415
    from twinwall.formats.load import load_policy  # noqa: PLC0415

    if policy is not None:
        return FixedRules(RuleBook.of(load_policy(policy)))
    return RulesInForce(State(state))
