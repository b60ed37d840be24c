"""The story of a packet: sentences, in the order in which things happened, made from what the packet path noted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from twinwall.engine import wording as w
from twinwall.engine.batch import RuleBook
from twinwall.engine.recorder import Account, Step
from twinwall.path.layout import NO_RULE
from twinwall.path.reason import CtState, Reason, StageName, Verdict
from twinwall.path.trace import TraceEvent
from twinwall.policy.model import Policy

SECTIONS = ("decoded", "stateless", "fragments", "tracker", "stateful", "verdict", "flow")
SECTION_OF = {
    TraceEvent.DECODED: "decoded",
    TraceEvent.TRACKED: "tracker",
    TraceEvent.FRAGMENT: "fragments",
    TraceEvent.TCP_STEP: "tracker",
    TraceEvent.TCP_OUT_OF_WINDOW: "tracker",
    TraceEvent.TCP_RESET_REFUSED: "tracker",
    TraceEvent.STATELESS_RULE: "stateless",
    TraceEvent.STATELESS_DEFAULT: "stateless",
    TraceEvent.STATELESS_FRAGMENT_DEFAULT: "stateless",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One sentence; `place` says where the rule it speaks of stands."""

    section: str
    text: str
    place: str = ""


@dataclass(frozen=True, slots=True)
class Story:
    """Everything that is to be said of one packet; `verdict` is pass, drop, reject, or pending."""

    title: str
    verdict: str
    lines: tuple[Line, ...]


class Teller:
    """Tells accounts of one policy's engine."""

    def __init__(self, policy: Policy, rules: RuleBook) -> None:
        self.policy = policy
        self.rules = rules

    def tell(self, account: Account, title: str = "") -> Story:
        """The story of one packet."""
        lines = (*self._steps(account), *self._verdict(account), *self._flow(account))
        return Story(title or f"packet {account.number}", verdict_word(account), lines)

    def _steps(self, account: Account) -> Iterator[Line]:
        decoded = 0
        for step in account.steps:
            if step.event is TraceEvent.DECODED:
                decoded += 1
            record = account.record if decoded < 2 or account.datagram is None else account.datagram
            section = SECTION_OF.get(step.event, "stateful")
            rule = self._rule(step, section)
            yield Line(section, self._sentence(step, record, rule), w.rule_place(rule) if rule else "")

    def _rule(self, step: Step, section: str):
        book = self.rules.stateless if section == "stateless" else self.rules.stateful
        ruled = (
            TraceEvent.STATELESS_RULE, TraceEvent.MATCH, TraceEvent.RESIDUAL_FAILED, TraceEvent.DECIDED, TraceEvent.OVERRULED,
            TraceEvent.FLOW_MARKED, TraceEvent.FLOW_KEPT, TraceEvent.DEFAULT_ACTION,
        )  # fmt: skip
        return book[step.value] if step.event in ruled else None

    def _sentence(self, step: Step, record, rule) -> str:
        event, value = step.event, step.value
        if rule is not None:
            return event.sentence.format(w.rule_words(rule))
        words = {
            TraceEvent.DECODED: lambda: w.packet_words(record) if value == 0 else w.reason_words(value),
            TraceEvent.TRACKED: lambda: w.tracked_words(value),
            TraceEvent.FRAGMENT: lambda: w.PIECES[value],
            TraceEvent.TCP_STEP: lambda: w.tcp_step_words(value),
            TraceEvent.STATELESS_DEFAULT: lambda: w.ACTIONS[value],
            TraceEvent.STATELESS_FRAGMENT_DEFAULT: lambda: w.ACTIONS[value],
            TraceEvent.FLOW_VERDICT: lambda: w.FLOW_VERDICTS[value],
            TraceEvent.RULES_ASKED: lambda: w.place_words(value),
        }.get(event, lambda: str(value))
        return event.sentence.format(words())

    def _verdict(self, account: Account) -> Iterator[Line]:
        decision = account.decision
        if account.pending:
            yield Line("verdict", "pending: it comes with the datagram's other pieces")
            return
        reason = Reason(int(decision["reason"]))
        stage = StageName(int(decision["stage"]))
        rule = self.rules.rule(stage, int(decision["rule"])) if int(decision["rule"]) != NO_RULE else None
        scope = "the flow" if int(decision["scope"]) else "this packet"
        yield Line("verdict", f"{verdict_word(account)} ({reason.name.lower()}), for {scope}: {reason.explanation}",
                   w.rule_place(rule) if rule else "")
        if int(decision["verdict"]) == Verdict.REJECT:
            yield Line("verdict", f"the reject sends {w.REPLIES[int(decision['reject'])]}")

    def _flow(self, account: Account) -> Iterator[Line]:
        if account.after is None:
            return
        before = w.state_words(account.before) if account.before is not None else "no entry"
        after = w.state_words(account.after)
        yield Line("flow", f"{before} -> {after}; {w.left_words(account.after, int(account.decision['timestamp']))}")


def verdict_word(account: Account) -> str:
    """pass, drop, reject or pending."""
    return "pending" if account.pending else Verdict(int(account.decision["verdict"])).name.lower()
