"""`twinwall trace`: what the kernel did with packets, rule by rule."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING

import click

from twinwall.cli.change_options import Duration, state_option
from twinwall.cli.exit_codes import ExitCode, complain
from twinwall.cli.interrupt import Interrupts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twinwall.enforce.trace_filter import PacketFilter
    from twinwall.enforce.trace_knowledge import KernelKnowledge
    from twinwall.enforce.trace_story import KernelStory
    from twinwall.enforce.trace_xdp import XdpDrops
    from twinwall.engine.spoken import SpokenPacket

GLANCE = 0.1  # seconds


@click.command()
@click.argument("words", nargs=-1, metavar="[PACKET or FILTER]")
@click.option("--count", type=click.IntRange(min=1), default=10, show_default=True, help="End after so many packets.")
@click.option("--for", "seconds", type=Duration(), default="10s", show_default=True, help="End after TIME.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a packet.")
@state_option
def command(words: tuple[str, ...], count: int, seconds: float, as_json: bool, state: str | None) -> int:
    """Show what the kernel does with matching packets, rule by rule, in `explain`'s words.

    FILTER is written like `tcp 10.0.0.0/8 > :443`; one end alone is either end, none is every packet.  A PACKET as `explain`
    takes it is first put to the XDP program that runs, without sending it; then packets with its protocol and ends are shown.
    """
    from twinwall.enforce.privilege import require_privileges  # noqa: PLC0415 - `--help` needs none of it
    from twinwall.enforce.rulebook import RulesInForce  # noqa: PLC0415
    from twinwall.enforce.state import State  # noqa: PLC0415
    from twinwall.enforce.trace_knowledge import KernelKnowledge  # noqa: PLC0415
    from twinwall.enforce.trace_xdp import XdpDrops, ask  # noqa: PLC0415
    from twinwall.live.error import EnforcementError  # noqa: PLC0415

    require_privileges(action="trace packets")
    packet, wanted = _read(" ".join(words))
    rules = RulesInForce(State(state))
    drops = XdpDrops(rules)
    with KernelKnowledge(rules) as knowledge:
        if packet is not None:
            try:
                _show([ask(knowledge, packet)], as_json=as_json)
            except EnforcementError as error:
                complain(f"{error.action}: {error.cause}; {error.remedy}")
        _follow(wanted, knowledge, time.monotonic() + seconds, count, as_json=as_json)
    _tell_drops(drops, as_json=as_json)
    return ExitCode.FINE


def _read(text: str) -> tuple[SpokenPacket | None, PacketFilter]:
    """A packet and the filter for its like; or a filter alone.  Raises `FilterError`."""
    from twinwall.enforce.trace_filter import filter_of, parse_packet_filter  # noqa: PLC0415
    from twinwall.engine.conversation import Conversation  # noqa: PLC0415 - see `command`
    from twinwall.engine.spoken_error import SpokenError  # noqa: PLC0415

    try:
        packet = Conversation().say(text)
    except SpokenError:
        return None, parse_packet_filter(text)
    return packet, filter_of(packet)


def _follow(wanted: PacketFilter, knowledge: KernelKnowledge, end: float, count: int, *, as_json: bool) -> None:
    """Tell packets until there were enough of them, the time is over, or somebody stops it."""
    from twinwall.enforce.trace import Tracer  # noqa: PLC0415 - see `command`

    left = count
    with Interrupts() as interrupts, Tracer(wanted, knowledge) as tracer:
        while left and not interrupts.asked and time.monotonic() < end:
            knowledge.refresh()
            left -= _show(tracer.stories(GLANCE)[:left], as_json=as_json)
        _show(tracer.rest()[:left], as_json=as_json)
        if tracer.lost:
            complain("steps of packets were lost: they came faster than they were read; trace fewer packets")
    if left == count and not as_json:
        complain("no packet came that matches")


def _show(stories: Sequence[KernelStory], *, as_json: bool) -> int:
    """Print stories; how many they were."""
    from twinwall.cli.explanation import show_story  # noqa: PLC0415 - see `command`
    from twinwall.enforce.trace_data import trace_data  # noqa: PLC0415

    for story in stories:
        if as_json:
            click.echo(json.dumps(trace_data(story)))
        else:
            show_story(story)
            click.echo()
    sys.stdout.flush()
    return len(stories)


def _tell_drops(drops: XdpDrops, *, as_json: bool) -> None:
    """What XDP dropped meanwhile, of which there is nothing to trace."""
    for each in drops.moved():
        if as_json:
            click.echo(json.dumps({"dropped_in_xdp": each.packets, "by": each.text}))
        else:
            click.echo(f"dropped in XDP meanwhile, whatever they were: {each.packets:,} by {each.text}")
