"""`twinwall guard`: look after what is in force, as long as the machine runs."""

from __future__ import annotations

import click

from twinwall.cli.change_options import open_desk, state_option
from twinwall.cli.exit_codes import ExitCode, complain
from twinwall.cli.interrupt import Interrupts


@click.command()
@click.option("--restore/--report", default=True, help="Put right what is found, or only say it.  [default: restore]")
@click.option("--once", is_flag=True, help="Look once; the exit code is 7 if anything was not as it should be.")
@state_option
def command(restore: bool, once: bool, state: str | None) -> int:
    """Attach programs to interfaces that appear, undo what others do to tables and interfaces, end trials that nobody watches.

    Runs until it is stopped.  What it finds is said on standard error and written into the journal.
    """
    from twinwall.enforce.duty import Duty, taking  # noqa: PLC0415 - `--help` needs none of it
    from twinwall.enforce.guard import Guard  # noqa: PLC0415
    from twinwall.enforce.notices import Notices  # noqa: PLC0415

    guard = Guard(open_desk(state), complain, restore=restore)
    if once:
        return ExitCode.FOUND if guard.look() else ExitCode.FINE
    with taking(guard.desk.state, Duty.GUARD, complain), Interrupts() as interrupts, Notices() as notices:
        while not interrupts.asked:
            guard.look_on()
            with interrupts.welcome():
                notices.wait()
    return ExitCode.FINE
