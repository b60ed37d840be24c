"""What the kernel did with one packet, in `explain`'s sentences, from nftables' trace of it.

A trace names chains and rules of the rendered ruleset; the chains' names say what they are for (`render`), the packet's mark
behind a lookup says which rule matched (`render.marks`), and the line's own counter says which verdict it was.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from twinwall.enforce.rulebook import Rules
from twinwall.enforce.status_counts import NO_REASON, explain
from twinwall.enforce.trace_packet import TracedPacket
from twinwall.engine import wording as w
from twinwall.engine.decision import RejectReply
from twinwall.engine.story import Line
from twinwall.live.connection import ConntrackEntry, Status
from twinwall.live.nft import Table
from twinwall.live.nft_rules import RuleFacts
from twinwall.live.nftrace import Code, Kind, Step, TrackerState
from twinwall.path.flow_state import FLOW_DROP, FLOW_PASS
from twinwall.path.layout import ICMP6, TCP
from twinwall.path.reason import CtState, Direction, Reason
from twinwall.path.trace import TraceEvent
from twinwall.policy.model import Action, Rule
from twinwall.render.marks import RULE_NUMBER
from twinwall.render.stateless import OUTPUT

ARMS = "twinwall_trace"  # how the names of our temporary tables begin
OURS = {("inet", "twinwall"), ("bridge", "twinwall"), ("netdev", "twinwall_0"), ("netdev", "twinwall_1")}
STAGE_HOOKS = ("input", "forward", "output")
END = re.compile(r"(?:settled_)?(pass|drop|reject|forward)_(\w+)")
STATES = {
    TrackerState.NEW: CtState.NEW,
    TrackerState.ESTABLISHED: CtState.ESTABLISHED,
    TrackerState.RELATED: CtState.RELATED,
    TrackerState.INVALID: CtState.INVALID,
    TrackerState.UNTRACKED: CtState.UNTRACKED,
}
SIDES = {0: "to the server", 1: "to the client", None: "of no flow"}
BY_FLOW = ("flow_pass", "flow_drop", "fast_rule", "fast_no_rule")  # where the connection's mark decides


class Knowledge(Protocol):
    """What a trace does not say itself."""

    rules: Rules

    def facts(self, step: Step) -> RuleFacts:
        """The line of the ruleset that a step is about."""

    def stateless(self, packet: TracedPacket, inside: int) -> tuple[Line, ...]:
        """What the stateless stage in XDP says of a packet; nothing if it does not run there, or cannot be asked."""

    def stateless_rule(self, packet: TracedPacket, table: Table, facts: RuleFacts) -> Rule | None:
        """The stateless rule that a line of the netdev table found."""

    def connection(self, packet: TracedPacket) -> ConntrackEntry | None:
        """The connection that the packet belongs to, as it is now."""


def plain(step: Step) -> Step:
    """The step with the names that the renderer gave, without the generation behind them."""
    return replace(step, chain=step.chain.partition(".")[0], target=step.target.partition(".")[0])


@dataclass(frozen=True, slots=True)
class KernelStory:
    """What happened to one packet.  `verdict` is pass, drop, reject, or `unjudged` where no chain of ours decided."""

    title: str
    verdict: str
    reason: str
    lines: tuple[Line, ...]
    rule: Rule | None
    steps: tuple[Step, ...]


@dataclass
class Narrator:
    """Tells one packet; made for it, and thrown away."""

    knowledge: Knowledge
    interface: Callable[[int], str]
    verdict: str = "unjudged"
    reason: str = ""
    rule: Rule | None = None
    flow_rule: bool = False  # the verdict holds for the whole flow
    _packet: TracedPacket = field(default_factory=lambda: TracedPacket(b""))
    _entry: ConntrackEntry | None = None
    _inside: int = 0
    _side: int | None = None
    _asked: bool = False
    _anew: bool = False

    def tell(self, steps: Sequence[Step]) -> KernelStory:
        """The story of one packet's steps, in their order."""
        first = next((step for step in steps if step.packet), steps[0])
        self._packet, self._inside = TracedPacket(first.packet), first.inside
        self._entry = self.knowledge.connection(self._packet)
        came = f"in by {self.interface(first.inside)}" if first.inside else f"out by {self.interface(first.outside)}"
        lines = [Line("decoded", f"{self._packet.told()}, {came}", event=TraceEvent.DECODED)]
        for step in steps:
            if not step.table.startswith(ARMS):
                lines += self._line(step)
        lines += [*self._verdict(), *self._flow()]
        return KernelStory(str(self._packet), self.verdict, self.reason, tuple(lines), self.rule, tuple(steps))

    def _line(self, step: Step) -> Iterator[Line]:
        if step.table == "twinwall_queue":
            if step.code is Code.QUEUE:
                yield Line("stateful", "it waits for the inspector")
        elif (step.family, step.table) not in OURS:
            yield from self._others(step)
        elif step.kind is Kind.RULE and step.handle:
            facts = self.knowledge.facts(step)
            step = plain(step)
            self._end(step, facts)
            if step.family == "netdev" or step.chain.startswith(OUTPUT):
                yield from self._stateless(step, facts)
            elif step.chain.startswith("stamp"):
                yield from self._stamp(step)
            else:
                yield from self._stateful(step)

    def _others(self, step: Step) -> Iterator[Line]:
        """A table that is not ours is told of only where it stops the packet."""
        if step.code in (Code.DROP, Code.QUEUE, Code.STOLEN):
            where = f"table {step.family} {step.table}, chain {step.chain}"
            what = f"its rule with handle {step.handle}" if step.handle else "its policy"
            if step.code is Code.DROP:
                self.verdict, self.reason = "drop", "other"
            yield Line("elsewhere", f"{where}: {what} says {step.code}; that is not twinwall's")

    def _end(self, step: Step, facts: RuleFacts) -> None:
        """The verdict that a line belongs to: by its chain's name, or by its counter's."""
        for name in (step.chain, *facts.counters):
            found = END.fullmatch(name)
            if found and (found[2].upper() in Reason.__members__ or found[2] in NO_REASON) and found[1] != "forward":
                self.verdict, self.reason = found[1], found[2]
        if step.chain in BY_FLOW and step.code in (Code.ACCEPT, Code.DROP):
            self.verdict = "drop" if step.chain == "flow_drop" else "pass"
            self.reason = {"fast_rule": "rule", "fast_no_rule": "no_rule"}.get(step.chain, step.chain)

    # The stateless stage.
    def _stateless(self, step: Step, facts: RuleFacts) -> Iterator[Line]:
        """The form in nftables: the line that matched names its rule, or its map does."""
        target = step.target.removeprefix(OUTPUT)
        if target.startswith("rule_"):
            rule = self.rule = self.knowledge.stateless_rule(self._packet, Table(step.family, step.table), facts)
            told = w.rule_words(rule) if rule is not None else f"of action {target[5:]}"
            yield Line("stateless", TraceEvent.STATELESS_RULE.sentence.format(told), rule, TraceEvent.STATELESS_RULE)
        elif target.startswith("say_"):
            piece = any("fragment" in name for name in facts.counters)
            event = TraceEvent.STATELESS_FRAGMENT_DEFAULT if piece else TraceEvent.STATELESS_DEFAULT
            yield Line("stateless", event.sentence.format(target[4:]), event=event)

    def _stamp(self, step: Step) -> Iterator[Line]:
        """The ruleset reads what the stateless stage said."""
        if step.code not in (Code.ACCEPT, Code.DROP):
            return
        lines = self.knowledge.stateless(self._packet, self._inside)
        yield from lines
        if lines and lines[-1].rule is not None:
            self.rule = lines[-1].rule
        said = {"stamp_pass": "pass", "stamp_forward": "forward", "stamp_drop": "drop"}.get(step.chain)
        if said == "pass":
            self.verdict, self.reason = "pass", "stateless_rule" if self.rule is not None else "stateless_default"
        yield Line("stateless", f"the stage's action is {said}" if said else "the stage has not seen this packet")

    # The stateful stage.
    def _stateful(self, step: Step) -> Iterator[Line]:
        if step.chain in STAGE_HOOKS and step.packet:
            yield from self._tracked(step)
        if step.chain in BY_FLOW:
            yield from self._decided_before(step)
        elif step.chain == "judge" and step.code is Code.ACCEPT:
            yield Line("stateful", "not asked: the stateless stage passed the packet")
        elif step.chain.startswith("stale") and step.code is Code.CONTINUE:
            yield from self._once_anew()
        elif step.chain.startswith("at_") and not self._asked:
            self._asked = True
            yield Line("stateful", TraceEvent.RULES_ASKED.sentence.format(SIDES[self._side]), event=TraceEvent.RULES_ASKED)
        elif step.target.startswith("hit") or step.chain.startswith(("before_", "tail")):
            yield from self._matched(step)
        else:
            yield from self._followed(step)

    def _tracked(self, step: Step) -> Iterator[Line]:
        self._side = step.direction
        if step.state is not None:
            direction = Direction.NONE if step.direction is None else Direction(step.direction)
            words = w.tracked_words(STATES[step.state] | direction << 8)
            yield Line("tracker", TraceEvent.TRACKED.sentence.format(words), event=TraceEvent.TRACKED)

    def _decided_before(self, step: Step) -> Iterator[Line]:
        if step.code not in (Code.ACCEPT, Code.DROP):
            return
        number = self._entry.rule_number if self._entry is not None else 0
        generation = self._entry.generation if self._entry is not None else 0
        self.rule = self.knowledge.rules.rule(number, generation) if number else None
        if step.chain.startswith("fast"):
            yield Line("stateful", "the same packets of this flow were asked about before: no rule is asked again", self.rule)
        else:
            words = w.FLOW_VERDICTS[FLOW_PASS if step.chain == "flow_pass" else FLOW_DROP]
            yield Line("stateful", TraceEvent.FLOW_VERDICT.sentence.format(words), self.rule, TraceEvent.FLOW_VERDICT)

    def _once_anew(self) -> Iterator[Line]:
        if not self._anew:
            self._anew = True
            yield Line("stateful", "an earlier policy judged this flow; this one judges it anew")

    def _matched(self, step: Step) -> Iterator[Line]:
        """A lookup has left the rule's number in the mark."""
        rule = self.knowledge.rules.rule(step.mark & RULE_NUMBER)
        if not step.mark & RULE_NUMBER or (step.chain.startswith("tail") and step.code is not Code.CONTINUE):
            return
        if rule is not None and rule.synthetic:
            self.rule = rule if rule.action is Action.DROP else self.rule
            yield Line(
                "stateful", TraceEvent.DEFAULT_ACTION.sentence.format(w.rule_words(rule)), rule, TraceEvent.DEFAULT_ACTION
            )
        elif rule is not None:
            self.rule = rule if rule.action is not Action.ALERT else self.rule
            yield Line("stateful", TraceEvent.MATCH.sentence.format(w.rule_words(rule)), rule, TraceEvent.MATCH)
        else:
            yield Line("stateful", f"rule number {step.mark & RULE_NUMBER} of a policy that is not in force any more matches")

    def _followed(self, step: Step) -> Iterator[Line]:
        """What happens behind a match."""
        event = next((event for start, event in FOLLOWING.items() if step.chain.startswith(start)), None)
        quiet = step.chain.startswith("mark_flow") and step.code is not Code.CONTINUE
        if step.chain == "report" and step.code is Code.CONTINUE:
            yield Line("stateful", "the packet is reported to the log", self.rule)
        elif step.chain.startswith("inspect") and step.code is Code.ACCEPT:
            yield Line(
                "stateful", "it goes to the inspector" if step.chain == "inspect" else "the inspector passes it", self.rule
            )
        elif event is not None and self.rule is not None and not quiet:
            self.flow_rule |= event is TraceEvent.FLOW_MARKED
            yield Line("stateful", event.sentence.format(w.rule_words(self.rule)), self.rule, event)

    # The end.
    def _verdict(self) -> Iterator[Line]:
        if self.verdict == "unjudged":
            yield Line("verdict", "none by twinwall: no chain of it decided about this packet")
            return
        if self.reason not in RULED and not self.reason.startswith("default_"):
            self.rule = None
        stage = "stateless" if self.reason.startswith("stateless") else "stateful"
        by = f" by {stage} rule {w.rule_words(self.rule)}" if self.rule is not None else ""
        yield Line("verdict", f"{self.verdict}{by}{', for the whole flow' if self.flow_rule else ''}", self.rule)
        yield Line("reason", f"{self.reason}: {explain(self.reason)}")
        if self.verdict == "reject":
            yield Line("sends", w.REPLIES[self._reply()])

    def _reply(self) -> RejectReply:
        if self._packet.protocol == TCP:
            return RejectReply.TCP_RESET
        if self._packet.protocol == ICMP6:
            return RejectReply.NONE
        four = int(self._packet.record["version"]) == 4
        return RejectReply.ICMP_PROHIBITED if four else RejectReply.ICMPV6_PROHIBITED

    def _flow(self) -> Iterator[Line]:
        """The connection as it is when the story is told."""
        entry = self._entry
        if entry is None:
            return
        state = entry.state or ("replied" if entry.status & Status.SEEN_REPLY else "unreplied")
        assured = ", assured" if entry.status & Status.ASSURED else ""
        left = "" if entry.timeout is None else f"; {entry.timeout} s left"
        yield Line("flow", f"{state}{assured}{left}")
        rule = self.knowledge.rules.rule(entry.rule_number, entry.generation) if entry.rule_number else None
        if entry.verdict and rule is not None:
            yield Line("flow", f"its further packets: {entry.verdict}, by rule {w.rule_words(rule)}", rule)


RULED = {"rule", "rule_flow", "flow_pass", "flow_drop", "stateless_rule", "inspection"}  # reasons that a rule stands behind
FOLLOWING: Mapping[str, TraceEvent] = {
    "flow_passes": TraceEvent.FLOW_MARKED,
    "flow_drops": TraceEvent.FLOW_MARKED,
    "mark_flow": TraceEvent.FLOW_KEPT,
    "overruled": TraceEvent.OVERRULED,
    "pass_rule": TraceEvent.DECIDED,
    "drop_rule": TraceEvent.DECIDED,
    "reject_rule": TraceEvent.DECIDED,
    "pass_no_rule": TraceEvent.NO_RULE,
}
