"""What the kernel did with one packet, in `explain`'s sentences: its steps (`trace_stages`), the verdict, its connection."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from twinwall.enforce.status_counts import explain
from twinwall.enforce.trace_packet import TracedPacket
from twinwall.enforce.trace_stages import ARMS, Knowledge, Stages
from twinwall.engine import wording as w
from twinwall.engine.decision import RejectReply
from twinwall.engine.story import Line
from twinwall.live.connection import Status
from twinwall.live.nftrace import Step
from twinwall.path.layout import ICMP6, TCP
from twinwall.path.trace import TraceEvent
from twinwall.policy.model import Rule

UNJUDGED = "unjudged"
RULED = ("rule", "rule_flow", "flow_pass", "flow_drop", "stateless_rule", "inspection")  # reasons with a rule behind them


@dataclass(frozen=True, slots=True)
class KernelStory:
    """What happened to one packet.  `verdict` is pass, drop, reject, or `unjudged` where no chain of ours decided."""

    title: str
    verdict: str
    reason: str
    lines: tuple[Line, ...]
    rule: Rule | None
    steps: tuple[Step, ...]


def narrate(steps: Sequence[Step], knowledge: Knowledge, interface: Callable[[int], str]) -> KernelStory:
    """The story of one packet's steps, in their order.  `interface`: an interface's name by its index."""
    first = next((step for step in steps if step.packet), steps[0])
    packet = TracedPacket(first.packet)
    stages = Stages(knowledge, packet, first.inside, first.outside, knowledge.connection(packet))
    way = f"in by {interface(first.inside)}" if first.inside else f"out by {interface(first.outside)}"
    lines = [Line("decoded", f"{packet.told()}, {way}", event=TraceEvent.DECODED)]
    lines += [line for step in steps if not step.table.startswith(ARMS) for line in stages.lines(step)]
    if stages.reason not in RULED and not stages.reason.startswith("default_"):
        stages.rule = None
    lines += [*_verdict(stages), *_flow(stages)]
    return KernelStory(str(packet), stages.verdict or UNJUDGED, stages.reason, tuple(lines), stages.rule, tuple(steps))


def _verdict(stages: Stages) -> Iterator[Line]:
    if not stages.verdict:
        yield Line(
            "verdict", "none by twinwall: the packet did not get to the stage that decides, or that is not attached here"
        )
        return
    rule = stages.rule
    stage = "stateless" if stages.reason.startswith("stateless") else "stateful"
    by = f" by {stage} rule {w.rule_words(rule)}" if rule is not None else ""
    yield Line("verdict", f"{stages.verdict}{by}{', for the whole flow' if stages.whole_flow else ''}", rule)
    yield Line("reason", f"{stages.reason}: {explain(stages.reason)}")
    if stages.verdict == "reject":
        yield Line("sends", w.REPLIES[_reply(stages.packet)])


def _reply(packet: TracedPacket) -> RejectReply:
    if packet.protocol == TCP:
        return RejectReply.TCP_RESET
    if packet.protocol == ICMP6:
        return RejectReply.NONE
    return RejectReply.ICMP_PROHIBITED if int(packet.record["version"]) == 4 else RejectReply.ICMPV6_PROHIBITED


def _flow(stages: Stages) -> Iterator[Line]:
    """The connection as it is when the story is told."""
    entry = stages.entry
    if entry is None:
        return
    state = entry.state or ("replied" if entry.status & Status.SEEN_REPLY else "unreplied")
    assured = ", assured" if entry.status & Status.ASSURED else ""
    left = "" if entry.timeout is None else f"; {entry.timeout} s left"
    yield Line("flow", f"{state}{assured}{left}")
    rule = stages.knowledge.rules.rule(entry.rule_number, entry.generation) if entry.rule_number else None
    if entry.verdict and rule is not None:
        yield Line("flow", f"its further packets: {entry.verdict}, by rule {w.rule_words(rule)}", rule)
