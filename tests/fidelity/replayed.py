"""What replay says about the packets of a trial: one answer for each, in the words in which the gateway's witness speaks."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tests.engine.runs import START, batch_of
from tests.fidelity.gateway import IN, OUT, ethernet
from twinwall.compile.policy import compile_policy
from twinwall.engine.decision import RejectReply
from twinwall.engine.engine import Engine, Settings
from twinwall.engine.machine import NativeMachine
from twinwall.path.layout import NO_RULE
from twinwall.path.reason import CtState, Direction, Reason, StageName, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tests.fidelity.traffic import Sent
    from twinwall.engine.batch import DecisionBatch
    from twinwall.policy.model import Policy

INTERFACES = {1: IN, 2: OUT}
NUMBERS = {name: number for number, name in INTERFACES.items()}
STEP = 1000  # nanoseconds between packets
HELD = frozenset({Reason.FRAGMENT_INCOMPLETE, Reason.FRAGMENT_OVERLAP, Reason.FRAGMENT_LIMIT, Reason.FRAGMENT_DUPLICATE})


class Answer(NamedTuple):
    """What one judge says about one packet or, of fragments that were put together, about one datagram."""

    verdict: str  # pass, drop, reject
    label: str  # as gateway.LABELS says it; empty: never reached the tracker
    reason: str
    rule: int | None  # index into the stage's compiled rules
    alerts: tuple[int, ...] = ()  # of the stateful stage
    reply: str = ""  # what a reject sent

    def __str__(self) -> str:
        said = [self.verdict, self.label or "-", self.reason or "-", "no rule" if self.rule is None else f"rule {self.rule}"]
        return ", ".join([*said, *(f"alert {rule}" for rule in self.alerts), *filter(None, [self.reply])])


class Replayed(NamedTuple):
    """The answers, packet by packet, and the hits of both stages' rules."""

    answers: list[Answer]
    decisions: NDArray[np.void]
    stateless_hits: list[int]


def replay_trial(policy: Policy, sent: Sequence[Sent], *, checksums: bool = False, times: Sequence[int] = ()) -> Replayed:
    """Run the packets through the engine; `times`: when, in nanoseconds from the start."""
    frames = [ethernet(each.link, each.packet) for each in sent]
    batch = batch_of(
        frames,
        [START + at for at in (times or range(0, STEP * len(frames), STEP))],
        interface=[NUMBERS[each.link] for each in sent],
    )
    batch.interfaces = INTERFACES
    compiled = compile_policy(policy)
    engine = Engine(policy, compiled, NativeMachine(), Settings(checksums=checksums))
    engine.feed(batch)
    engine.finish()
    return answers_of(engine.take(), len(compiled.stateless.rules))


def answers_of(taken: DecisionBatch, stateless_rules: int) -> Replayed:
    """What an engine has decided, in words."""
    alerts: dict[int, list[int]] = {}
    for row in taken.alerts:
        alerts.setdefault(int(row["packet"]), []).append(int(row["rule"]))
    answers = [answer_of(row, alerts.get(int(row["packet"]), [])) for row in taken.decisions]
    stateless = taken.decisions["rule"][taken.decisions["stage"] == StageName.STATELESS]
    hits = np.bincount(stateless[stateless != NO_RULE], minlength=stateless_rules)
    return Replayed(answers, taken.decisions, hits.tolist())


def answer_of(row: NDArray[np.void], alerts: Sequence[int]) -> Answer:
    """One row of DECISION in words."""
    rule = int(row["rule"])
    reply = RejectReply(row["reject"])
    return Answer(
        Verdict(row["verdict"]).name.lower(),
        label_of(int(row["ct_state"]), int(row["direction"])),
        Reason(row["reason"]).name.lower(),
        None if rule == NO_RULE else rule,
        tuple(alerts),
        "" if reply is RejectReply.NONE else reply.name.lower(),
    )


def label_of(state: int, direction: int) -> str:
    """The tracker's label as the gateway spells it."""
    if state == CtState.NONE:
        return ""
    name = CtState(state).name.lower()
    return name if state in (CtState.INVALID, CtState.UNTRACKED) else f"{name} {Direction(direction).name.lower()}"
