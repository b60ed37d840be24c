"""What can be told of packets that XDP drops: they never become packets that nftables could trace.

`ask` puts a packet in words to the running program without sending it; `XdpDrops` tells which of the program's counters of
dropped packets moved meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from twinwall.enforce.rulebook import RuleBook, Rules
from twinwall.enforce.status_counts import REASONS, default_verdict
from twinwall.enforce.trace_knowledge import KernelKnowledge
from twinwall.enforce.trace_packet import TracedPacket
from twinwall.enforce.trace_story import KernelStory
from twinwall.engine import wording as w
from twinwall.engine.spoken import SpokenPacket
from twinwall.engine.spoken_frame import encode_ip
from twinwall.engine.story import Line
from twinwall.live.error import EnforcementError
from twinwall.live.links import links
from twinwall.live.xdp import XdpCounters, XdpStage
from twinwall.path.reason import Reason
from twinwall.policy.model import Action


def ask(knowledge: KernelKnowledge, packet: SpokenPacket) -> KernelStory:
    """What the XDP program of the packet's interface says; no counter moves.  Raises `EnforcementError`."""
    interface = packet.interface or _first(knowledge.rules.book)
    traced = TracedPacket(encode_ip(packet))
    said = knowledge.rehearsed(traced, interface)
    if said is None:
        cause = f"no XDP program of ours runs on {interface or 'any interface'}"
        raise EnforcementError("ask the stateless stage", cause, "such packets are traced when they come")
    line = knowledge.stateless_line(said)
    if said.dropped:
        verdict, text = "drop", "drop; the stateful stage never sees it"
    else:
        verdict, text = "pending", "none yet: the packet goes on to the ruleset"
    lines = (
        Line("decoded", f"{traced.told()}, asked of the program on {interface}; nothing is sent, and no counter moves"),
        line,
        Line("verdict", text, line.rule),
        Line("reason", w.reason_words(int(said.reason))),
    )
    return KernelStory(str(packet), verdict, said.reason.name.lower(), lines, line.rule, ())


def _first(book: RuleBook) -> str:
    """The first attached interface that exists."""
    there = {each.name for each in links()}
    attached = book.attach.interfaces if book.attach is not None else ()
    return next((name for name in attached if name in there), "")


class Drops(NamedTuple):
    """Packets that XDP dropped for one reason, or by one rule."""

    text: str
    packets: int


class XdpDrops:
    """The counters of the running program's drops, since this was made."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._book = rules.book
        self._before = _counters(self._book)

    def moved(self) -> tuple[Drops, ...]:
        """What was dropped meanwhile; nothing can be told across a change of the policy."""
        after = _counters(self._rules.book)
        if self._before is None or after is None or self._rules.book != self._book:
            return ()
        return tuple(each for each in _difference(self._book, self._before, after) if each.packets > 0)


def _counters(book: RuleBook) -> XdpCounters | None:
    there = {each.name: each for each in links()}
    for name in book.attach.interfaces if book.attach is not None else ():
        try:
            stage = XdpStage.of(name) if name in there and there[name].xdp else None
        except EnforcementError:
            stage = None
        if stage is not None:
            with stage:
                return stage.counters()
    return None


def _difference(book: RuleBook, before: XdpCounters, after: XdpCounters) -> Iterator[Drops]:
    for rule, old, new in zip(book.stateless.rules, before.rules, after.rules, strict=False):
        if rule.action is Action.DROP:
            yield Drops(f"rule {w.rule_words(rule)}", new.packets - old.packets)
    for number, count in after.reasons.items():
        reason = REASONS[number]
        if reason is not Reason.STATELESS_RULE and default_verdict(book.stateless, reason) == "drop":
            earlier = before.reasons.get(number)
            yield Drops(w.reason_words(number), count.packets - (earlier.packets if earlier is not None else 0))
