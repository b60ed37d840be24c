"""What a policy in force has counted, in both forms of the stateless stage alike: by rule, and by verdict and reason.

The stateless stage counts in its XDP program (frames, per CPU, from when the program was loaded) or in its netdev table; the
stateful stage in the elements of the ruleset's maps.  All of it begins anew with every change of the policy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from twinwall.live.nft_counts import Count, Counts
from twinwall.live.xdp import XdpCounters
from twinwall.path.reason import Reason
from twinwall.policy.model import Policy, Rule, StatelessStage

NOTHING = Count()
STATELESS, STATEFUL = "stateless", "stateful"
REASONS = {reason.value: reason for reason in Reason}
NO_REASON = {  # counters that name no `Reason`: what only the kernel can meet
    "no_stamp": "the stateless stage has not seen the packet: its program or table was not there",
    "stateless": "the stateless stage said drop, while one policy replaced another",
    "not_ready": "it came in the instant in which the kernel filled the new ruleset's sets",
    "unstamped": "the driver left no room to note what the stateless stage said",
    "unattached": "it came in by an interface that no stage of the policy has seen",
    "unjudged": "it came to the bridge's end without having been judged",
    "ported": "its interface was put into a bridge, a bond or a VRF, where the stateful stage does not see it",
    "unbridged": "one of its interfaces is attached as a port, and belongs to no bridge any more",
    "behind_ah": "behind an IPv6 authentication header nftables sees no ports",
    "stale_error": "an ICMP error about a connection that this policy has not judged yet",
    "known_flow": "its flow was decided before, and its connection is gone or was judged anew since",
    "inspection": "the inspector decided",
    "inspection_failed": "nobody inspected the packet, and on_inspection_failure decided",
    "answer": "it answers a packet that was rejected",
    "not_attached": "it leaves by an interface on which the policy is not enforced",
    "elsewhere": "a table that is not twinwall's dropped it",
}
BEFORE_RULES = ("no_stamp", "stateless", "unstamped")  # of these, the stateless stage's


@dataclass(frozen=True, slots=True)
class RuleCount:
    """One rule, and what it matched."""

    stage: str
    sid: int
    action: str
    message: str
    text: str
    packets: int
    bytes: int


@dataclass(frozen=True, slots=True)
class VerdictCount:
    """Packets of one verdict and reason; `forward`: the stateless stage left them to the stateful one."""

    stage: str
    verdict: str
    reason: str
    packets: int
    bytes: int

    @property
    def explanation(self) -> str:
        """The reason in a sentence."""
        return explain(self.reason)


def explain(reason: str) -> str:
    """A reason's name in a sentence."""
    known = Reason.__members__.get(reason.upper())
    return known.explanation if known is not None else NO_REASON.get(reason, reason)


@dataclass(frozen=True, slots=True)
class Counted:
    """The rules in the order of evaluation, and the verdicts that occurred."""

    rules: tuple[RuleCount, ...] = ()
    verdicts: tuple[VerdictCount, ...] = ()


def count(policy: Policy, xdp: XdpCounters | None, tables: Iterable[Counts]) -> Counted:
    """Add up what the XDP program (None: there is none) and the tables have counted."""
    found = list(tables)
    stateless = policy.stateless.rules
    # Beside XDP there is the chain that judges what a host sends.
    alone = map(Count.plus, _by_place(stateless, xdp), _by_sid(stateless, (each.stateless for each in found)))
    rules = (
        *_rules(STATELESS, stateless, alone),
        *_rules(STATEFUL, policy.stateful.rules, _by_sid(policy.stateful.rules, (each.stateful for each in found))),
    )
    verdicts: dict[tuple[str, str, str], Count] = {}
    for key, counted in (*_xdp_verdicts(policy, xdp), *_table_verdicts(found)):
        verdicts[key] = verdicts.get(key, NOTHING).plus(counted)
    return Counted(rules, tuple(VerdictCount(*key, *counted) for key, counted in verdicts.items() if counted.packets))


def _rules(stage: str, rules: Iterable[Rule], counts: Iterable[Count]) -> Iterator[RuleCount]:
    for rule, counted in zip(rules, counts, strict=True):
        yield RuleCount(stage, rule.sid, rule.action.value, rule.message, rule.text, *counted)


def _by_place(rules: tuple[Rule, ...], xdp: XdpCounters | None) -> list[Count]:
    counts = [Count(*each) for each in xdp.rules] if xdp is not None else []
    return counts if len(counts) == len(rules) else [NOTHING] * len(rules)


def _by_sid(rules: Iterable[Rule], shares: Iterable[Mapping[int, Count]]) -> list[Count]:
    """Of several rules with one sid, the first has the count: what the kernel keeps names them alike."""
    sums: dict[int, Count] = {}
    for share in shares:
        for sid, counted in share.items():
            sums[sid] = sums.get(sid, NOTHING).plus(counted)
    return [sums.pop(rule.sid, NOTHING) for rule in rules]


Verdicts = Iterator[tuple[tuple[str, str, str], Count]]


def _xdp_verdicts(policy: Policy, xdp: XdpCounters | None) -> Verdicts:
    if xdp is None:
        return
    for rule, counted in zip(policy.stateless.rules, xdp.rules, strict=False):
        yield (STATELESS, rule.action.value, "stateless_rule"), Count(*counted)
    for number, counted in xdp.reasons.items():
        if number != Reason.STATELESS_RULE:
            reason = REASONS[number]
            yield (STATELESS, default_verdict(policy.stateless, reason), reason.name.lower()), Count(*counted)
    yield (STATELESS, "drop", "unstamped"), Count(*xdp.unstamped)


def default_verdict(stage: StatelessStage, reason: Reason) -> str:
    """What the XDP program does for a reason that is no rule."""
    if reason is Reason.STATELESS_DEFAULT:
        return stage.default.value
    if reason is Reason.STATELESS_FRAGMENT_DEFAULT:
        other = stage.fragments if stage.other_fragments is None else stage.other_fragments
        return stage.fragments.value if other is stage.fragments else f"{stage.fragments.value} or {other.value}"
    return "pass" if reason is Reason.NOT_IP else "drop"


def _table_verdicts(tables: Iterable[Counts]) -> Verdicts:
    for table in tables:
        for name, counted in table.verdicts.items():
            verdict, _, reason = name.partition("_")
            yield (_stage(reason), verdict, reason), counted


def _stage(reason: str) -> str:
    """Whose reason it is."""
    known = Reason.__members__.get(reason.upper())
    if reason in BEFORE_RULES or (known is not None and known <= Reason.STATELESS_FRAGMENT_DEFAULT):
        return STATELESS
    return STATEFUL
