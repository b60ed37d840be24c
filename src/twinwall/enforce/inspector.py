"""The inspector's seam: a packet that a rule wants looked into comes in, an opinion goes out, in the mark.

What looks inside packets is an `Inspector`.  Today's answers with what the matching rule itself says, so that the way to user
space, the verdict on the connection and what happens without an inspector work and are tested before there is one that parses
protocols.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from twinwall.enforce.rulebook import Rules
from twinwall.live.nfqueue import Answer, QueuedPacket
from twinwall.policy.model import Action
from twinwall.render.marks import ACTION_MASK, ACTION_SHIFT, RULE_NUMBER, SCOPE_FLOW, RuleAction


class Opinion(NamedTuple):
    """What the inspector decides: PASS, DROP or REJECT, for the packet or for its flow."""

    action: RuleAction
    scope_flow: bool


class Inspector(Protocol):
    """Looks into packets."""

    def judge(self, packet: bytes, word: int) -> Opinion | None:
        """An opinion on a packet, which begins with its IP header.  `word` is its mark: the rule that wants it looked into.

        None: no opinion; the kernel then does what the policy's `on_inspection_failure` says.
        """


RULE_ACTIONS = {Action.PASS: RuleAction.PASS, Action.DROP: RuleAction.DROP, Action.REJECT: RuleAction.REJECT}


class HeaderInspector:
    """Answers with the action of the rule that matched the header, for the flow."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules

    def judge(self, packet: bytes, word: int) -> Opinion | None:  # noqa: ARG002 - it looks at nothing but the rule
        """The rule's own action; None where it is not certain which rule that is."""
        rule = self._rules.rule(word & RULE_NUMBER)
        action = None if rule is None or not rule.inspect else RULE_ACTIONS.get(rule.action)
        return None if action is None else Opinion(action, scope_flow=True)


class Judged(NamedTuple):
    """Answers for a run of packets, and how many of them nobody had an opinion on."""

    answers: list[Answer]
    undecided: int
    failure: Exception | None  # the first one that the inspector raised


def decided(word: int, opinion: Opinion) -> int:
    """The mark that tells the ruleset what was decided; the rule's number stays in it."""
    kept = word & ~(ACTION_MASK | SCOPE_FLOW)
    return kept | opinion.action << ACTION_SHIFT | (SCOPE_FLOW if opinion.scope_flow else 0)


def judge_all(inspector: Inspector, packets: Sequence[QueuedPacket]) -> Judged:
    """An answer for every packet.  All go on, with the decision in their mark: the ruleset acts on it, and counts it.

    A packet on which the inspector has no opinion, or fails, goes on as it came: the ruleset knows it as undecided.
    """
    answers: list[Answer] = []
    undecided = 0
    failure: Exception | None = None
    for packet in packets:
        opinion: Opinion | None = None
        try:
            opinion = inspector.judge(packet.packet, packet.mark)
        except Exception as error:  # a defect of an inspector must not decide what becomes of other packets
            failure = failure or error
        undecided += opinion is None
        answers.append(Answer(packet.number, packet.mark if opinion is None else decided(packet.mark, opinion)))
    return Judged(answers, undecided, failure)
