"""The steps of a traced packet, one after the other, as sentences; and what they come to: verdict, reason, rule.

A trace names chains and lines of the rendered ruleset.  The chains' names say what they are for (`render`), the packet's mark
behind a lookup says which rule matched (`render.marks`), and a line's own counter says which verdict it was.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from twinwall.enforce.rulebook import Rules
from twinwall.enforce.status_counts import NO_REASON
from twinwall.enforce.trace_packet import TracedPacket
from twinwall.engine import wording as w
from twinwall.engine.story import Line
from twinwall.live.connection import ConntrackEntry
from twinwall.live.nft import Table
from twinwall.live.nft_rules import RuleFacts
from twinwall.live.nftrace import Code, Kind, Step, TrackerState
from twinwall.path.flow_state import FLOW_DROP, FLOW_PASS
from twinwall.path.reason import CtState, Direction, Reason
from twinwall.path.trace import TraceEvent
from twinwall.policy.model import Action, Rule
from twinwall.render.fast import ENDS_OF, KNOWN, VERDICT_BITS, counted_as
from twinwall.render.marks import RULE_NUMBER
from twinwall.render.stateless import OUTPUT
from twinwall.render.switch import generation_of, plain_name

ARMS = "twinwall_trace"  # how the names of our temporary tables begin
OURS = {("inet", "twinwall"), ("bridge", "twinwall"), ("netdev", "twinwall_0"), ("netdev", "twinwall_1")}
HOOKS = ("input", "forward", "output")
END = re.compile(r"(?:settled_)?(pass|drop|reject)_(\w+)")
STATES = {
    TrackerState.NEW: CtState.NEW,
    TrackerState.ESTABLISHED: CtState.ESTABLISHED,
    TrackerState.RELATED: CtState.RELATED,
    TrackerState.INVALID: CtState.INVALID,
    TrackerState.UNTRACKED: CtState.UNTRACKED,
}
SIDES = {0: "to the server", 1: "to the client", None: "of no flow"}
STAMPS = {"stamp_pass": "pass", "stamp_forward": "forward", "early": "forward", "stamp_drop": "drop"}
BY_FLOW = {"flow_pass": "flow_pass", "flow_drop": "flow_drop", "fast_rule": "rule", "fast_no_rule": "no_rule"}  # → the reason
ENDED = (Code.ACCEPT, Code.DROP)
FOLLOWING: Mapping[str, TraceEvent] = {  # how chains behind a match begin
    "flow_passes": TraceEvent.FLOW_MARKED,
    "flow_drops": TraceEvent.FLOW_MARKED,
    "mark_flow": TraceEvent.FLOW_KEPT,
    "overruled": TraceEvent.OVERRULED,
    "pass_rule": TraceEvent.DECIDED,
    "drop_rule": TraceEvent.DECIDED,
    "reject_rule": TraceEvent.DECIDED,
}


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

    def attached(self, interface: int) -> bool:
        """Whether the policy is enforced on an interface."""


@dataclass
class Stages:
    """One packet on its way.  `entry` is its connection, as far as it is known."""

    knowledge: Knowledge
    packet: TracedPacket
    inside: int
    outside: int
    entry: ConntrackEntry | None
    verdict: str = ""  # pass, drop, reject; empty: nobody has decided yet
    reason: str = ""
    rule: Rule | None = None
    whole_flow: bool = False  # the verdict holds for the flow
    _side: int | None = None
    _said: frozenset[str] = frozenset()

    def lines(self, step: Step) -> Iterator[Line]:
        """What a step says."""
        if step.table == "twinwall_queue":
            if step.code is Code.QUEUE:
                yield Line("stateful", "it waits for the inspector")
        elif (step.family, step.table) not in OURS:
            yield from self._others(step)
        elif step.kind is Kind.RULE and step.handle:
            yield from self._own(step)

    def _others(self, step: Step) -> Iterator[Line]:
        """A table that is not ours is told of only where it stops the packet."""
        if step.code not in (Code.DROP, Code.QUEUE, Code.STOLEN):
            return
        if step.code is Code.DROP:
            self.verdict, self.reason = "drop", "elsewhere"
        what = f"its rule with handle {step.handle}" if step.handle else "its policy"
        yield Line("elsewhere", f"table {step.family} {step.table}, chain {step.chain}: {what} says {step.code}")

    def _own(self, step: Step) -> Iterator[Line]:
        facts = self.knowledge.facts(step)
        generation = step.chain.partition(".")[2]
        step = replace(step, chain=step.chain.partition(".")[0], target=step.target.partition(".")[0])
        self._end(step, facts)
        if step.family == "netdev" or step.chain.startswith(OUTPUT):
            yield from self._stateless(step, facts)
        elif step.chain.startswith("stamp") or (step.chain == "early" and step.code is Code.ACCEPT):
            yield from self._stamp(step)
        else:
            yield from self._stateful(step, facts, int(generation or 0))

    def _end(self, step: Step, facts: RuleFacts) -> None:
        """The verdict that a line belongs to: by its chain's name, or by its counter's."""
        for name in (step.chain, *facts.counters):
            found = END.fullmatch(name)
            if found and (found[2].upper() in Reason.__members__ or found[2] in NO_REASON):
                self.verdict, self.reason = found[1], found[2]
        if step.chain in BY_FLOW and step.code in ENDED:
            self.verdict, self.reason = "drop" if step.chain == "flow_drop" else "pass", BY_FLOW[step.chain]
        if plain_name(facts.map) == KNOWN and step.code in ENDED:
            self._end_known(generation_of(facts.map), "drop" if step.code is Code.DROP else "pass")
        if step.chain in ("output", f"{OUTPUT}output") and step.code is Code.ACCEPT:
            self.verdict, self.reason = "pass", "answer" if self.knowledge.attached(self.outside) else "not_attached"

    def _end_known(self, generation: int | None, verdict: str) -> None:
        """The connection says by what it is decided, unless it is gone by now, or another policy has judged it."""
        mark = self.entry.mark if self.entry is not None and generation in (None, self.entry.generation) else 0
        name = counted_as(mark) if mark & VERDICT_BITS in ENDS_OF else ""
        if not name.startswith(verdict):
            name, self.entry = f"{verdict}_known_flow", None
        self.verdict, _, self.reason = name.partition("_")

    def _once(self, section: str, text: str, event: TraceEvent | None = None) -> Iterator[Line]:
        """A sentence that several lines of the ruleset stand for."""
        if text not in self._said:
            self._said |= {text}
            yield Line(section, text, event=event)

    # The stateless stage.
    def _stateless(self, step: Step, facts: RuleFacts) -> Iterator[Line]:
        """The form in nftables: the line that matched names its rule, or its map does."""
        kind, _, action = step.target.removeprefix(OUTPUT).partition("_")
        if kind == "rule":
            rule = self.rule = self.knowledge.stateless_rule(self.packet, Table(step.family, step.table), facts)
            told = w.rule_words(rule) if rule is not None else f"of action {action}"
            yield Line("stateless", TraceEvent.STATELESS_RULE.sentence.format(told), rule, TraceEvent.STATELESS_RULE)
        elif kind == "say":
            piece = any("fragment" in name for name in facts.counters)
            event = TraceEvent.STATELESS_FRAGMENT_DEFAULT if piece else TraceEvent.STATELESS_DEFAULT
            yield Line("stateless", event.sentence.format(action), event=event)

    def _stamp(self, step: Step) -> Iterator[Line]:
        """The ruleset reads what the stateless stage said."""
        if step.code not in ENDED:
            return
        lines = self.knowledge.stateless(self.packet, self.inside)
        yield from lines
        if lines:
            self.rule = lines[-1].rule
        said = STAMPS.get(step.chain)
        if said == "pass":
            self.verdict, self.reason = "pass", "stateless_default" if self.rule is None else "stateless_rule"
        yield Line("stateless", f"the stage's action is {said}" if said else "the stage has not seen this packet")

    # The stateful stage.
    def _stateful(self, step: Step, facts: RuleFacts, generation: int) -> Iterator[Line]:
        if step.chain in HOOKS and step.packet:
            yield from self._tracked(step)
        if step.chain in BY_FLOW or plain_name(facts.map) == KNOWN:
            yield from self._decided_before(step)
        elif step.chain == "judge" and step.code is Code.ACCEPT:
            yield Line("stateful", "not asked: the stateless stage passed the packet")
        elif step.chain.startswith("stale") and step.code is Code.CONTINUE:
            yield from self._once("stateful", "an earlier policy judged this flow; this one judges it anew")
        elif step.chain.startswith("at_"):
            text = TraceEvent.RULES_ASKED.sentence.format(SIDES[self._side])
            yield from self._once("stateful", text, TraceEvent.RULES_ASKED)
        elif step.target.startswith("hit") or step.chain.startswith(("before_", "tail")):
            yield from self._matched(step, generation)
        else:
            yield from self._followed(step)

    def _tracked(self, step: Step) -> Iterator[Line]:
        self._side = step.direction
        if step.state is not None:
            direction = Direction.NONE if step.direction is None else Direction(step.direction)
            words = w.tracked_words(STATES[step.state] | direction << 8)
            yield Line("tracker", TraceEvent.TRACKED.sentence.format(words), event=TraceEvent.TRACKED)

    def _decided_before(self, step: Step) -> Iterator[Line]:
        """The connection's own mark decides; it is not in the trace, but on the connection."""
        if step.code not in ENDED:
            return
        entry = self.entry
        self.rule = self.knowledge.rules.rule(entry.rule_number, entry.generation) if entry and entry.rule_number else None
        if self.reason == "known_flow":
            yield Line("stateful", "its flow is decided; what decided it is not on the connection any more")
        elif self.reason in ("rule", "no_rule"):
            yield Line("stateful", "the same packets of this flow were asked about before: no rule is asked again", self.rule)
        else:
            words = w.FLOW_VERDICTS[FLOW_PASS if self.reason == "flow_pass" else FLOW_DROP]
            yield Line("stateful", TraceEvent.FLOW_VERDICT.sentence.format(words), self.rule, TraceEvent.FLOW_VERDICT)

    def _matched(self, step: Step, generation: int) -> Iterator[Line]:
        """A lookup has left the rule's number in the mark."""
        number = step.mark & RULE_NUMBER
        if not number or (step.chain.startswith("tail") and step.code is Code.GOTO):
            return
        rule = self.knowledge.rules.rule(number, generation)
        if rule is None:
            yield Line("stateful", f"rule number {number} matches, of a policy that is not known any more")
            return
        if rule.action is not Action.ALERT and self.verdict not in ("drop", "reject"):
            self.rule = rule
        event = TraceEvent.DEFAULT_ACTION if rule.synthetic else TraceEvent.MATCH
        yield Line("stateful", event.sentence.format(w.rule_words(rule)), rule, event)

    def _followed(self, step: Step) -> Iterator[Line]:
        """What happens behind a match."""
        event = next((event for start, event in FOLLOWING.items() if step.chain.startswith(start)), None)
        if step.chain == "report" and step.code is Code.CONTINUE:
            yield Line("stateful", "it is reported to the log")
        elif step.chain.startswith("inspect") and step.code is Code.ACCEPT:
            yield Line(
                "stateful", "it goes to the inspector" if step.chain == "inspect" else "the inspector passes it", self.rule
            )
        elif step.chain.startswith("pass_no_rule"):
            yield Line("stateful", TraceEvent.NO_RULE.sentence, event=TraceEvent.NO_RULE)
        elif event is not None and self.rule is not None and (event is not TraceEvent.FLOW_KEPT or step.code is Code.CONTINUE):
            self.whole_flow |= event is TraceEvent.FLOW_MARKED
            yield Line("stateful", event.sentence.format(w.rule_words(self.rule)), self.rule, event)
