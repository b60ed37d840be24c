"""`twinwall inspect`: receive the packets that `inspect` rules hand over, and decide them."""

from __future__ import annotations

from contextlib import nullcontext

import click

from twinwall.cli.exit_codes import complain
from twinwall.cli.interrupt import Interrupts
from twinwall.cli.rules_options import open_rules, rules_options


@click.command()
@click.option(
    "--longest", type=click.IntRange(min=1), default=8192, show_default=True, help="Packets that may wait in a queue."
)
@rules_options
def command(policy: str | None, state: str | None, longest: int) -> None:
    """Decide the packets that rules with the keyword `inspect` hand over; runs until it is stopped.

    One process for each queue of the policy's `attach`.  The decision is stored on the connection, and the rest of the flow
    stays in the kernel.  Without this program, and where it does not keep up, `on_inspection_failure` says what happens.
    """
    from twinwall.enforce.duty import Duty, taking  # noqa: PLC0415 - `--help` needs none of it
    from twinwall.enforce.inspection import Inspection  # noqa: PLC0415
    from twinwall.enforce.state import State  # noqa: PLC0415

    known = State(state)
    duty = taking(known, Duty.INSPECT, complain) if policy is None or known.folder.is_dir() else nullcontext()
    with duty, Interrupts() as interrupts:
        Inspection(open_rules(policy, state), complain, longest=longest).run(lambda: interrupts.asked)
