"""The story of a packet: sentences, in the order in which things happened, made from what the packet path noted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from twinwall.conntrack.entry import END_DROPPED
from twinwall.engine import row_wording as rows
from twinwall.engine import wording as w
from twinwall.engine.batch import RuleBook
from twinwall.engine.decision import RejectReply
from twinwall.engine.fit import misfit
from twinwall.engine.recorder import Account, Row, Step
from twinwall.path.flow_state import TRACK_MIDSTREAM
from twinwall.path.layout import NO_RULE, TCP
from twinwall.path.reason import CtState, StageName, Verdict
from twinwall.path.trace import TraceEvent
from twinwall.policy.model import Policy, Rule

NEAREST = 3  # rules told of that would match but for one thing, where none matches
CANDIDATES = 8  # rules told of that fit addresses and ports, and do not match

SECTIONS = {
    TraceEvent.DECODED: "decoded",
    TraceEvent.TRACKED: "tracker",
    TraceEvent.FRAGMENT: "fragments",
    TraceEvent.TCP_STEP: "tracker",
    TraceEvent.TCP_OUT_OF_WINDOW: "tracker",
    TraceEvent.TCP_RESET_REFUSED: "tracker",
    TraceEvent.STATELESS_RULE: "stateless",
    TraceEvent.STATELESS_DEFAULT: "stateless",
    TraceEvent.STATELESS_FRAGMENT_DEFAULT: "stateless",
}  # everything else is the stateful stage's
RULED = frozenset(
    {TraceEvent.STATELESS_RULE, TraceEvent.MATCH, TraceEvent.RESIDUAL_FAILED, TraceEvent.DECIDED, TraceEvent.OVERRULED,
     TraceEvent.FLOW_MARKED, TraceEvent.FLOW_KEPT, TraceEvent.DEFAULT_ACTION}
)  # fmt: skip
TESTS = (TraceEvent.TEST_FAILED, TraceEvent.FLOWBIT_FAILED)


@dataclass(frozen=True, slots=True)
class Line:
    """One sentence.  `rule` is the rule it speaks of; `event` what the packet path noted, None for what was found besides."""

    section: str
    text: str
    rule: Rule | None = None
    event: TraceEvent | None = None


@dataclass(frozen=True, slots=True)
class Story:
    """Everything that is to be said of one packet; `verdict` is pass, drop, reject, or pending."""

    title: str
    verdict: str
    lines: tuple[Line, ...]
    account: Account
    rule: Rule | None  # that decided


class Teller:
    """Tells accounts of one policy's engine."""

    def __init__(self, policy: Policy, rules: RuleBook) -> None:
        self.policy = policy
        self.rules = rules

    def tell(self, account: Account, title: str) -> Story:
        """The story of one packet."""
        lines = (*self._steps(account), *self._verdict(account), *self._flow(account))
        return Story(title, verdict_word(account), lines, account, self._decider(account))

    def _steps(self, account: Account) -> Iterator[Line]:
        """What was noted, each with what is to be added to it."""
        record = account.record
        for at, step in enumerate(account.steps):
            if step.event is TraceEvent.DECODED and at and account.datagram is not None:
                record = account.datagram
            section = SECTIONS.get(step.event, "stateful")
            if step.event in TESTS:
                continue  # told with RESIDUAL_FAILED, which follows
            yield self._line(account, at, section, record)
            if step.event in (TraceEvent.STATELESS_DEFAULT, TraceEvent.STATELESS_FRAGMENT_DEFAULT):
                yield from self._nearest(section, self.rules.stateless, record, None)
            elif step.event is TraceEvent.RULES_ASKED:
                yield from self._candidates(account, record, step.value)
            elif step.event is TraceEvent.TRACKED:
                yield from _tracker_remarks(account, record, step.value)

    def _line(self, account: Account, at: int, section: str, record: Row) -> Line:
        step = account.steps[at]
        rule = self._rule(account, step, section)
        if step.event is TraceEvent.RESIDUAL_FAILED and rule is not None:
            failed = w.test_words(account.steps[at - 1], rule, record, self.policy.flowbits)
            return Line(section, f"{step.event.sentence.format(w.rule_words(rule))}: {failed}", rule, step.event)
        told = w.rule_words(rule) if rule is not None and step.event in RULED else w.value_words(step, record)
        return Line(section, step.event.sentence.format(told), rule, step.event)

    def _rule(self, account: Account, step: Step, section: str) -> Rule | None:
        """The rule that a step speaks of."""
        if step.event is TraceEvent.FLOW_VERDICT:
            return self._decider(account)
        if step.event not in RULED:
            return None
        return (self.rules.stateless if section == "stateless" else self.rules.stateful)[step.value]

    def _candidates(self, account: Account, record: Row, place: int) -> Iterator[Line]:
        """The rules up to the one that decides that fit addresses, ports and protocol, and still do not match."""
        stopped = account.values(TraceEvent.DECIDED)
        reached = self.rules.stateful[: min(stopped)] if stopped else self.rules.stateful
        missing = [(rule, found) for rule in reached if (found := misfit(rule, record, place)) and not found.ends]
        for rule, found in missing[:CANDIDATES]:
            yield Line("stateful", f"rule {w.rule_words(rule)} does not match: {', '.join(found.rest)}", rule)
        if len(missing) > CANDIDATES:
            yield Line("stateful", f"nor do {len(missing) - CANDIDATES} more")
        ruled = any(not self.rules.stateful[index].synthetic for index in account.values(TraceEvent.MATCH))
        if not ruled and not stopped:
            yield from self._nearest("stateful", self.rules.stateful, record, place)

    @staticmethod
    def _nearest(section: str, rules: Sequence[Rule], record: Row, place: int | None) -> Iterator[Line]:
        """The first rules that would match but for one thing; in the stateful stage, one of addresses, ports and protocol."""
        left = NEAREST
        for rule in rules:
            if rule.synthetic:
                continue
            found = misfit(rule, record, place)
            if len(found.parts) == 1 and (place is None or found.ends):
                yield Line(section, f"rule {w.rule_words(rule)} would match but for {found.parts[0]}", rule)
                left -= 1
                if not left:
                    return

    def _decider(self, account: Account) -> Rule | None:
        decision = account.decision
        if account.pending or int(decision["rule"]) == NO_RULE:
            return None
        return self.rules.rule(int(decision["stage"]), int(decision["rule"]))

    def _verdict(self, account: Account) -> Iterator[Line]:
        decision = account.decision
        if account.pending:
            yield Line("verdict", "none yet: it comes with the datagram's other pieces")
            return
        rule = self._decider(account)
        by = f" by {StageName(int(decision['stage'])).name.lower()} rule {w.rule_words(rule)}" if rule else ""
        scope = ", for the whole flow" if int(decision["scope"]) else ""
        yield Line("verdict", f"{verdict_word(account)}{by}{scope}", rule)
        yield Line("reason", w.reason_words(int(decision["reason"])))
        if int(decision["verdict"]) == Verdict.REJECT:
            yield Line("sends", w.REPLIES[RejectReply(int(decision["reject"]))])

    def _flow(self, account: Account) -> Iterator[Line]:
        for ended in account.ended:
            own = ended["end_reason"] == END_DROPPED
            yield Line("flow", f"{'the' if own else 'an older'} flow ended: {rows.ended_words(ended)}")
        if account.after is None:
            return
        now = int(account.decision["timestamp"])
        yield Line("flow", f"{rows.change_words(account.before, account.after)}; {rows.left_words(account.after, now)}")
        for text in rows.status_words(account.after):
            yield Line("flow", text)
        if int(account.after["verdict"]):
            rule = self.rules.stateful[int(account.after["rule"])]
            word = w.FLOW_VERDICTS[int(account.after["verdict"])]
            yield Line("flow", f"its further packets: {word}, by rule {w.rule_words(rule)}", rule)
        if account.flowbits:
            yield Line("flow", f"flowbits set: {', '.join(self.policy.flowbits[bit] for bit in account.flowbits)}")


def verdict_word(account: Account) -> str:
    """pass, drop, reject or pending."""
    return "pending" if account.pending else Verdict(int(account.decision["verdict"])).name.lower()


def _tracker_remarks(account: Account, record: Row, tracked: int) -> Iterator[Line]:
    """What the label alone does not say."""
    stepped = account.values(TraceEvent.TCP_STEP)
    if int(record["proto"]) == TCP and tracked & 0xFF == CtState.INVALID and not stepped and not tracked & TRACK_MIDSTREAM:
        yield Line("tracker", "no connection has these ends, and such a segment cannot begin one")
    elif tracked & 0xFF == CtState.INVALID and not tracked >> 32 and not stepped:
        yield Line("tracker", "it belongs to no flow, and it cannot begin one")
