"""`twinwall log`: what rules report and which connections end, as EVE lines on standard output."""

from __future__ import annotations

import select
import sys

import click

from twinwall.cli.exit_codes import complain
from twinwall.cli.interrupt import Interrupts
from twinwall.cli.rules_options import open_rules, rules_options


@click.command()
@click.option("-f", "--follow", is_flag=True, help="Go on until stopped.")
@click.option("--count", type=click.IntRange(min=1), help="End after so many records.  [default: 10, without --follow]")
@click.option("--beginnings", is_flag=True, help="Also a flow record when a connection begins.")
@rules_options
def command(policy: str | None, state: str | None, follow: bool, count: int | None, beginnings: bool) -> None:
    """Print what rules report and which connections end, from now on, one EVE record a line.

    The records are those of `replay --eve`: `alert` and `drop` for packets that rules report, `flow` for connections.  An
    `engine` record says what was lost because the kernel was faster than the reader.
    """
    from twinwall.enforce.log import EventLog, decoding_machine  # noqa: PLC0415 - `--help` needs none of it
    from twinwall.events.eve import json_lines  # noqa: PLC0415

    left = count if follow or count is not None else 10
    machine = decoding_machine(_announce if follow else None)
    with Interrupts() as interrupts, EventLog(open_rules(policy, state), beginnings=beginnings, machine=machine) as log:
        while not interrupts.asked and left != 0:
            records = log.records()[:left]
            sys.stdout.buffer.write(json_lines(records))
            sys.stdout.flush()
            _refuse_a_closed_pipe()
            left = None if left is None else left - len(records)


def _announce() -> None:
    complain("compiling the decoder of the log; this happens once on each machine")


def _refuse_a_closed_pipe() -> None:
    """Notice that nobody reads any more, also while there is nothing to write."""
    poll = select.poll()
    poll.register(sys.stdout, 0)
    if any(events & select.POLLERR for _, events in poll.poll(0)):
        raise BrokenPipeError
