"""What a trace does not say itself, asked where it is known: the ruleset's lines, the XDP program, the connection table."""

from __future__ import annotations

from contextlib import ExitStack
from types import TracebackType
from typing import Self

from twinwall.enforce.log import interface_name
from twinwall.enforce.rulebook import Rules
from twinwall.enforce.status_counts import default_verdict
from twinwall.enforce.trace_packet import TracedPacket
from twinwall.engine import wording as w
from twinwall.engine.story import Line
from twinwall.live.connection import ConntrackEntry
from twinwall.live.conntrack import ConnectionTable
from twinwall.live.error import EnforcementError
from twinwall.live.nft import TABLES, Table
from twinwall.live.nft_rules import Handle, RuleFacts, element_sid, rule_facts
from twinwall.live.nftrace import Step
from twinwall.live.xdp_rehearsal import Rehearsal, Rehearsed
from twinwall.path.reason import Reason
from twinwall.path.trace import TraceEvent
from twinwall.policy.model import Rule

NO_FACTS = RuleFacts()
DEFAULTS = {
    Reason.STATELESS_DEFAULT: TraceEvent.STATELESS_DEFAULT,
    Reason.STATELESS_FRAGMENT_DEFAULT: TraceEvent.STATELESS_FRAGMENT_DEFAULT,
}


class KernelKnowledge:
    """Of the calling thread's network namespace.  A context manager."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self._facts: dict[tuple[Table, Handle], RuleFacts] = {}
        self._rehearsals: dict[str, Rehearsal | None] = {}
        self._stack = ExitStack()
        self._connections = self._stack.enter_context(ConnectionTable())

    def refresh(self) -> None:
        """Forget what belongs to a policy that is not in force any more.  Raises `EnforcementError`."""
        if self.rules.refresh():
            self._facts.clear()
            self._forget_programs()

    def facts(self, step: Step) -> RuleFacts:
        """The line that a step is about; a ruleset is read when a line of it is met that is not known yet."""
        table = Table(step.family, step.table)
        key = (table, (step.chain, step.handle))
        if key not in self._facts and table in TABLES:
            self._facts |= {(table, handle): facts for handle, facts in rule_facts(table).items()}
        return self._facts.setdefault(key, NO_FACTS)

    def stateless(self, packet: TracedPacket, inside: int) -> tuple[Line, ...]:
        """What the XDP program says of the packet, asked once more."""
        said = self.rehearsed(packet, interface_name(inside))
        if said is None:
            return ()
        return (self.stateless_line(said),)

    def rehearsed(self, packet: TracedPacket, interface: str) -> Rehearsed | None:
        """The same as data; None if no XDP program of ours can be asked there."""
        if interface not in self._rehearsals:
            try:
                self._rehearsals[interface] = Rehearsal(interface)
            except EnforcementError:
                self._rehearsals[interface] = None
        rehearsal = self._rehearsals[interface]
        return None if rehearsal is None else rehearsal.ask(packet.whole)

    def stateless_line(self, said: Rehearsed) -> Line:
        """What the XDP program decided, as a sentence."""
        rules = self.rules.book.stateless.rules
        if said.rule is not None and said.rule < len(rules):
            rule = rules[said.rule]
            return Line(
                "stateless", TraceEvent.STATELESS_RULE.sentence.format(w.rule_words(rule)), rule, TraceEvent.STATELESS_RULE
            )
        event = DEFAULTS.get(said.reason)
        if event is not None:
            action = default_verdict(self.rules.book.stateless, said.reason)
            return Line("stateless", event.sentence.format(action), event=event)
        return Line("decoded", w.reason_words(int(said.reason)))

    def stateless_rule(self, packet: TracedPacket, table: Table, facts: RuleFacts) -> Rule | None:
        """By the line's own comment, or by the element of its map that holds the packet."""
        sid = facts.sid
        if sid is None and facts.map:
            key = tuple(packet.field(name) for name in facts.key)
            sid = element_sid(table, facts.map, key) if all(key) else None
        return next((rule for rule in self.rules.book.stateless.rules if rule.sid == sid), None)

    def connection(self, packet: TracedPacket) -> ConntrackEntry | None:
        """The connection, by the packet's ends as they came in."""
        ends = packet.ends()
        return self._connections.find(ends) if ends is not None else None

    def attached(self, interface: int) -> bool:
        """Whether the policy in force names an interface."""
        attach = self.rules.book.attach
        return attach is not None and interface_name(interface) in attach.interfaces

    def _forget_programs(self) -> None:
        for rehearsal in self._rehearsals.values():
            if rehearsal is not None:
                rehearsal.__exit__(None, None, None)
        self._rehearsals.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._forget_programs()
        self._stack.close()
