"""The ends of walks: the default actions, for packets that no rule decided."""

from __future__ import annotations

from twinwall.compile.contexts import flow_bits
from twinwall.compile.defaults import DefaultRule, default_rules
from twinwall.path.layout import TCP
from twinwall.path.reason import Reason, Verdict
from twinwall.policy.model import Action, Policy
from twinwall.render.chains import Chains
from twinwall.render.classes import ProtocolClass
from twinwall.render.hits import SEEN, Hits
from twinwall.render.marks import REPORTS
from twinwall.render.verdicts import DECIDED_TEST, Ends
from twinwall.render.words import word_of


class Tails:
    """What stands behind the last rule."""

    def __init__(self, chains: Chains, hits: Hits, ends: Ends, policy: Policy) -> None:
        self.chains, self.hits, self.ends = chains, hits, ends
        self.first = len(policy.stateful.rules)
        self.defaults = default_rules(policy.stateful.default)

    def due(self, protocols: ProtocolClass, place: int) -> list[tuple[int, DefaultRule]]:
        """The default actions that apply to the class in that place, with the places of their rules."""
        some = TCP if TCP in protocols.numbers else min(protocols.numbers)
        return [
            (self.first + at, each)
            for at, each in enumerate(self.defaults)
            if flow_bits(each.rule) >> place & 1 and (each.rule.protocols is None or some in each.rule.protocols)
        ]

    def same(self, protocols: ProtocolClass, place: int, other: int) -> bool:
        """Whether two places end alike."""
        return self.due(protocols, place) == self.due(protocols, other)

    def tail(self, protocols: ProtocolClass, place: int, *, fast: bool, asked: bool = False) -> str:
        """The chain behind the walk.  `asked`: rules were asked that are asked once."""
        due = self.due(protocols, place)
        lines = [f"{DECIDED_TEST} goto settle"] if due and self.hits.uses.walks_on else []
        decided = ""
        for at, default in due:
            word = word_of(default.rule, at)
            report = " jump report" if word & REPORTS else ""
            lines.append(f'counter meta mark set {word:#010x}{report} comment "{default.rule.message}"')
            if default.rule.action is Action.DROP and not decided:
                end = self.ends.end(Verdict.DROP, default.reason)
                decided = f"meta mark set {word:#010x} goto {end}"
        if asked:
            lines.insert(0, SEEN)
        if decided:
            return self.chains.share("tail", [*lines, decided])
        if fast:
            lines.append(f"meta mark 0x00000000 ct state established jump fast_{'reply' if place & 1 else 'original'}_no_rule")
        return self.chains.share("tail", [*lines, "goto settle"]) if lines else "settle"

    def settle(self) -> None:
        """The chain at the end of everything; last, when it is known what can have been noted on a packet."""
        noted = [self.ends.settled] if self.ends.settled else []
        self.chains.add("settle", [*noted, f"goto {self.ends.end(Verdict.PASS, Reason.NO_RULE, '0x00000000')}"])
