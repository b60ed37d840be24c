"""`twinwall status`: what is in force, how it runs, what it has counted, and what is wrong."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from twinwall.cli.change_options import state_option
from twinwall.cli.exit_codes import ExitCode
from twinwall.cli.interrupt import Interrupts, wait_for

if TYPE_CHECKING:
    from twinwall.enforce.status import Observer, Status

PAUSE = 2.0  # seconds between two looks
CLEAR = "\x1b[H\x1b[2J"


@click.command()
@click.option("--rules", "every", is_flag=True, help="Every rule with its counters, in their order, instead of the busiest.")
@click.option("--watch", is_flag=True, help="Look again every two seconds, until stopped.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON; with --watch, one object a line.")
@click.option("--kernel", is_flag=True, help="Instead, what this machine can do for a policy, and what happens without it.")
@state_option
def command(every: bool, watch: bool, as_json: bool, kernel: bool, state: str | None) -> int:
    """Show what is in force: policy, interfaces, counters by rule and by reason, connections, queues; and what is wrong.

    The exit code is 0 if a policy is in force and nothing is wrong with it, else 7.
    """
    from twinwall.enforce.privilege import require_privileges  # noqa: PLC0415 - `--help` needs none of it
    from twinwall.enforce.state import State  # noqa: PLC0415
    from twinwall.enforce.status import Observer  # noqa: PLC0415
    from twinwall.enforce.status_problems import problems  # noqa: PLC0415

    if kernel:
        return _abilities(as_json=as_json)
    require_privileges(action="look at what is in force")
    observer = Observer(State(state))
    if watch:
        return _watch(observer, every=every, as_json=as_json)
    status = observer.look()
    _show(status, every=every, as_json=as_json)
    return ExitCode.FOUND if problems(status) else ExitCode.FINE


def _abilities(*, as_json: bool) -> int:
    """What `apply` would find here.  Everything is asked without privileges too; the answers then say what is missing."""
    from twinwall.cli.status_text import columns  # noqa: PLC0415 - see `command`
    from twinwall.live.probe import Answer, probe  # noqa: PLC0415

    found = probe()
    if as_json:
        click.echo(json.dumps([asdict(each) for each in found], indent=2))
        return ExitCode.FINE
    rows = [(each.name, each.answer, "" if each.answer is Answer.YES else each.otherwise) for each in found]
    click.echo("\n".join(columns(("this machine", "can", "without it"), rows)))
    return ExitCode.FINE


def _show(status: Status, *, every: bool, as_json: bool) -> None:
    from twinwall.cli.status_data import status_data  # noqa: PLC0415 - see `command`
    from twinwall.cli.status_text import status_lines  # noqa: PLC0415

    if as_json:
        click.echo(json.dumps(status_data(status), indent=2))
        return
    click.echo("\n".join(status_lines(status, every=every)))


def _watch(observer: Observer, *, every: bool, as_json: bool) -> int:
    from twinwall.cli.status_data import status_data  # noqa: PLC0415 - see `command`
    from twinwall.cli.status_text import status_lines  # noqa: PLC0415
    from twinwall.enforce.status_problems import problems  # noqa: PLC0415

    before: dict[tuple[str, int], int] = {}
    at, wrong = time.monotonic(), False
    with Interrupts() as interrupts:
        while not interrupts.asked:
            status, now = observer.look(), time.monotonic()
            counts = {(each.stage, each.sid): each.packets for each in status.counted.rules}
            rates = {key: max(packets - before.get(key, packets), 0) / max(now - at, 0.001) for key, packets in counts.items()}
            before, at, wrong = counts, now, bool(problems(status))
            if as_json:
                click.echo(json.dumps(status_data(status)))
            else:
                clear = CLEAR if sys.stdout.isatty() else ""
                click.echo(clear + "\n".join(status_lines(status, every=every, rates=rates)) + ("" if clear else "\n"))
            sys.stdout.flush()
            wait_for(interrupts, PAUSE)
    return ExitCode.FOUND if wrong else ExitCode.FINE
