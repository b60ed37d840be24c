"""The summary of a run: what `replay` prints at its end, and `--json` as data.

Everything in it comes from the engine's counters, which are kept while packets are decided; nothing is counted here.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from twinwall.engine.batch import PROTOCOLS, RuleBook
from twinwall.engine.counters import Counters, Counts, FlowKind, Talker
from twinwall.events.flow import TCP_STATES, FlowState
from twinwall.path.layout import TCP
from twinwall.path.reason import CtState, Reason, StageName, Verdict

if TYPE_CHECKING:
    from rich.console import Console

    from twinwall.policy.model import Rule

TOP = 10
_REASONS = {int(reason): reason for reason in Reason}


@dataclass(frozen=True)
class Tally:
    """How many packets, and their bytes on the wire."""

    packets: int
    bytes: int


@dataclass(frozen=True)
class ReasonTally:
    """What one reason decided."""

    stage: str
    reason: str
    verdict: str
    packets: int
    bytes: int
    explanation: str


@dataclass(frozen=True)
class RuleTally:
    """What one rule hit."""

    stage: str
    sid: int
    action: str
    message: str
    place: str
    packets: int
    bytes: int


@dataclass(frozen=True)
class Summary:
    """A run in numbers.  Times are nanoseconds since 1970 (None: there was no packet), `elapsed` is in seconds."""

    packets: int
    bytes: int
    first: int | None
    last: int | None
    elapsed: float
    verdicts: dict[str, Tally]
    reasons: tuple[ReasonTally, ...]
    malformed: dict[str, int]
    rules: tuple[RuleTally, ...]
    dropped_talkers: tuple[Talker, ...]
    ct_states: dict[str, int]
    flows: dict[str, dict[str, int]]

    @property
    def packets_per_second(self) -> int:
        """How fast the replay was; 0 if no time passed."""
        return int(self.packets / self.elapsed) if self.elapsed > 0 else 0

    @property
    def covered(self) -> int:
        """The nanoseconds from the first packet to the last."""
        return 0 if self.first is None or self.last is None else self.last - self.first

    def to_data(self) -> dict[str, Any]:
        """The summary as JSON's types; `docs/outputs.md` describes every field."""
        return asdict(self) | {"covered": self.covered, "packets_per_second": self.packets_per_second}

    def to_json(self) -> str:
        """The summary as one indented JSON object."""
        return orjson.dumps(self.to_data(), option=orjson.OPT_INDENT_2).decode()

    def render(self, console: Console) -> None:
        """Print the summary as tables."""
        from twinwall.events.summary_text import render  # noqa: PLC0415 - rich is slow to import

        render(self, console)


def summarise(counters: Counters, rules: RuleBook, elapsed: float, top: int = TOP) -> Summary:
    """The run in numbers: what was counted, the seconds it took, and `top` rules and talkers."""
    packets, size = (int(total) for total in counters.outcomes.sum(axis=(0, 1, 2)))
    return Summary(
        packets=packets,
        bytes=size,
        first=counters.first,
        last=counters.last,
        elapsed=elapsed,
        verdicts={each.name.lower(): Tally(*_pair(counters.outcomes[:, :, each].sum(axis=(0, 1)))) for each in Verdict},
        reasons=_reasons(counters.outcomes),
        malformed=_malformed(counters.outcomes),
        rules=_top_rules(counters, rules, top),
        dropped_talkers=counters.dropped_talkers(top),
        ct_states={each.name: int(counters.ct_states[each, 0]) for each in CtState if each is not CtState.NONE},
        flows=_flow_states(counters.flows),
    )


def _top_rules(counters: Counters, rules: RuleBook, top: int) -> tuple[RuleTally, ...]:
    tallies: list[RuleTally] = []
    stages = ((StageName.STATELESS, rules.stateless, counters.stateless),
              (StageName.STATEFUL, rules.stateful, counters.stateful))  # fmt: skip
    for stage, written, hits in stages:
        order = np.argsort(hits[:, 0], kind="stable")[::-1][:top]
        tallies += [_rule_tally(stage, written[at], hits[at]) for at in order.tolist() if hits[at, 0]]
    return tuple(sorted(tallies, key=lambda tally: -tally.packets)[:top])


def _flow_states(flows: dict[FlowKind, int]) -> dict[str, dict[str, int]]:
    """Flows by protocol and by the state that EVE calls them by."""
    found: dict[str, dict[str, int]] = {}
    for kind, count in sorted(flows.items(), key=lambda item: (item[0].proto, item[0].state)):
        states = found.setdefault(PROTOCOLS[kind.proto], dict.fromkeys((state.value for state in FlowState), 0))
        states[_flow_state(kind).value] += count
    return found


def _flow_state(kind: FlowKind) -> FlowState:
    if kind.proto == TCP:
        return TCP_STATES[kind.state][1] if kind.state in TCP_STATES else FlowState.NEW
    return FlowState.ESTABLISHED if kind.replied else FlowState.NEW


def _pair(counts: Counts) -> tuple[int, int]:
    return int(counts[0]), int(counts[1])


def _rule_tally(stage: StageName, rule: Rule, hits: Counts) -> RuleTally:
    return RuleTally(stage.name.lower(), rule.sid, rule.action.value, rule.message, str(rule.span), *_pair(hits))


def _reasons(outcomes: Counts) -> tuple[ReasonTally, ...]:
    found = []
    for stage, reason, verdict in np.argwhere(outcomes[..., 0] > 0).tolist():
        why = _REASONS[reason]
        words = (StageName(stage).name.lower(), why.name.lower(), Verdict(verdict).name.lower())
        found.append(ReasonTally(*words, *_pair(outcomes[stage, reason, verdict]), why.explanation))
    return tuple(sorted(found, key=lambda tally: -tally.packets))


def _malformed(outcomes: Counts) -> dict[str, int]:
    totals = outcomes[..., 0].sum(axis=(0, 2))
    return {
        reason.name.lower(): int(totals[reason])
        for reason in Reason
        if Reason.TRUNCATED_LINK <= reason < Reason.STATELESS_RULE and totals[reason]
    }
