"""The summary of a run: what `replay` prints at its end, and `--json` as data.

`SummaryBuilder` takes batches while they come, `finish` adds the engine's counters.  Memory is bounded by the number of rules
and `talkers.CAPACITY`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
from numpy.typing import NDArray

from twinwall.conntrack.entry import ST_SEEN_REPLY
from twinwall.engine.batch import PROTOCOLS, DecisionBatch, RuleBook
from twinwall.events.counters import Counters, Counts
from twinwall.events.flow import TCP_STATES, FlowState
from twinwall.events.talkers import Talker, Talkers
from twinwall.path.layout import TCP
from twinwall.path.reason import CtState, Reason, StageName, Verdict

if TYPE_CHECKING:
    from rich.console import Console

    from twinwall.policy.model import Rule

TOP = 10
_STATES = tuple(FlowState)
_STATE_NAMES = tuple(state.value for state in FlowState)
_REASONS = {int(reason): reason for reason in Reason}
_TCP_STATE = np.array([_STATES.index(TCP_STATES[state][1]) if state in TCP_STATES else 0 for state in range(256)])


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
    dropped_talkers_exact: bool
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


class SummaryBuilder:
    """Collects, batch by batch, what counters do not hold: time, talkers, ended connections."""

    def __init__(self, rules: RuleBook) -> None:
        self._rules = rules
        self._talkers = Talkers()
        self._flows = np.zeros((256, len(_STATES)), dtype=np.int64)
        self._first: int | None = None
        self._last: int | None = None

    def add(self, batch: DecisionBatch) -> None:
        """Take in a batch."""
        self._add_flows(batch.flows)
        if len(batch) == 0:
            return
        times = batch.decisions["timestamp"]
        low, high = int(times.min()), int(times.max())
        self._first = low if self._first is None else min(self._first, low)
        self._last = high if self._last is None else max(self._last, high)
        stopped = np.flatnonzero(batch.decisions["verdict"])
        stopped = stopped[batch.records["version"][stopped] != 0]
        self._talkers.add(batch.records[stopped], batch.decisions["length"][stopped])

    def _add_flows(self, flows: NDArray[np.void]) -> None:
        answered = (flows["status"] & ST_SEEN_REPLY != 0).astype(np.intp) * _STATES.index(FlowState.ESTABLISHED)
        states = np.where(flows["proto"] == TCP, _TCP_STATE[flows["state"]], answered)
        keys = flows["proto"].astype(np.intp) * len(_STATES) + states
        self._flows += np.bincount(keys, minlength=self._flows.size).reshape(self._flows.shape)

    def finish(self, counters: Counters, elapsed: float, top: int = TOP) -> Summary:
        """The summary, with the run's counters, the seconds it took, and `top` rules and talkers."""
        packets, size = (int(total) for total in counters.outcomes.sum(axis=(0, 1, 2)))
        return Summary(
            packets=packets,
            bytes=size,
            first=self._first,
            last=self._last,
            elapsed=elapsed,
            verdicts={each.name.lower(): Tally(*_pair(counters.outcomes[:, :, each].sum(axis=(0, 1)))) for each in Verdict},
            reasons=_reasons(counters.outcomes),
            malformed=_malformed(counters.outcomes),
            rules=self._top_rules(counters, top),
            dropped_talkers=self._talkers.top(top),
            dropped_talkers_exact=self._talkers.exact,
            ct_states={each.name: int(counters.ct_states[each]) for each in CtState if each is not CtState.NONE},
            flows=self._flow_states(),
        )

    def _top_rules(self, counters: Counters, top: int) -> tuple[RuleTally, ...]:
        tallies: list[RuleTally] = []
        stages = ((StageName.STATELESS, self._rules.stateless, counters.stateless),
                  (StageName.STATEFUL, self._rules.stateful, counters.stateful))  # fmt: skip
        for stage, rules, hits in stages:
            order = np.argsort(hits[:, 0], kind="stable")[::-1][:top]
            tallies += [_rule_tally(stage, rules[at], hits[at]) for at in order.tolist() if hits[at, 0]]
        return tuple(sorted(tallies, key=lambda tally: -tally.packets)[:top])

    def _flow_states(self) -> dict[str, dict[str, int]]:
        seen = np.flatnonzero(self._flows.any(axis=1)).tolist()
        return {PROTOCOLS[proto]: dict(zip(_STATE_NAMES, self._flows[proto].tolist(), strict=True)) for proto in seen}


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
