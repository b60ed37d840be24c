"""What the commands that change the policy have in common: their options, how they wait, ask, and say what was done."""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import click

from twinwall.cli.exit_codes import complain

if TYPE_CHECKING:
    from twinwall.enforce.desk import Desk
    from twinwall.enforce.state import Pending

Command = TypeVar("Command", bound=Callable[..., object])

DURATION = re.compile(r"(\d+)\s*(s|m|h)?")
SECONDS = {None: 1, "s": 1, "m": 60, "h": 3600}
LONGEST_TRIAL = 24 * 3600
UNINTERRUPTED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Duration(click.ParamType):  # type: ignore[type-arg]  # generic in newer versions of Click only
    """A time such as 60s, 5m or 1h, or a number of seconds; it arrives in seconds."""

    name = "TIME"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Raises `click.BadParameter` for anything else."""
        found = DURATION.fullmatch(str(value).strip())
        seconds = int(found[1]) * SECONDS[found[2]] if found else 0
        if not 0 < seconds <= LONGEST_TRIAL:
            self.fail(f"{value!r} is not a time between 1s and 24h, such as 60s or 5m", param, ctx)
        return float(seconds)


def state_option(command: Command) -> Command:
    """Add `--state`."""
    return click.option(
        "--state", type=click.Path(), metavar="DIR", help="The state folder.  [default: $TWINWALL_STATE or /var/lib/twinwall]"
    )(command)


def lock_options(command: Command) -> Command:
    """Add `--state` and `--no-wait`."""
    command = click.option("--no-wait", is_flag=True, help="Give up if another command is changing the policy.")(command)
    return state_option(command)


def change_options(command: Command) -> Command:
    """Add those two, `--confirm-within` and `--yes`."""
    command = click.option("-y", "--yes", is_flag=True, help="Do not ask.")(command)
    command = click.option(
        "--confirm-within", type=Duration(), help="Restore what was before after TIME, unless `twinwall confirm` was said."
    )(command)
    return lock_options(command)


def open_desk(state: str | None, *, no_wait: bool = False) -> Desk:
    """The desk of this machine.  Raises `EnforcementError`."""
    from twinwall.enforce.desk import make_desk  # noqa: PLC0415 - `--help` needs none of it
    from twinwall.enforce.journal import author  # noqa: PLC0415
    from twinwall.enforce.privilege import require_privileges  # noqa: PLC0415
    from twinwall.enforce.session import find_session  # noqa: PLC0415
    from twinwall.enforce.state import State  # noqa: PLC0415

    require_privileges()
    session = find_session()
    whom = author(str(session.client) if session else "")
    return make_desk(State(state), whom, complain, patience=0 if no_wait else None, announce=_announce)


def _announce() -> None:
    complain("compiling the packet path for XDP; this happens once on each machine")


def ask(question: str, *, yes: bool) -> bool:
    """Whether to go on.  Raises `click.UsageError` where nobody can be asked."""
    if yes:
        return True
    if not sys.stdin.isatty():
        raise click.UsageError("there is nobody to ask: standard input is no terminal; add --yes")
    return click.confirm(question, err=True)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """While the kernel is being changed, Ctrl-C and a lost terminal wait: seconds at most, and the change is whole."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in UNINTERRUPTED}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def say_done(pending: Pending) -> None:
    """Say what is in force now, and what has to be done about it."""
    from twinwall.enforce.recovery import describe  # noqa: PLC0415 - `--help` needs none of it

    if pending.deadline is None:
        click.echo(f"in force: {describe(pending.new)}")
        return
    click.echo(f"on trial until {pending.until}: {describe(pending.new)}")
    click.echo(f"keep it:  twinwall confirm      (else it is {describe(pending.old)} again)")
