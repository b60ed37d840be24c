"""What rules mean, said a second time and as simply as possible: a scan over `Rule` objects, for tests to compare with.

Records are `numpy` scalars of `path.layout.RECORD`.  Nothing here looks at tables.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from twinwall.path.layout import (
    ESP,
    ICMP,
    ICMP6,
    MARK_FRAGMENT,
    MARK_LATER_FRAGMENT,
    MARK_PORTS,
    MARK_REASSEMBLED,
    MARK_TRANSPORT,
    NO_RULE,
    SCTP,
    TCP,
    UDP,
)
from twinwall.path.reason import Reason, Verdict
from twinwall.policy.model import (
    Action,
    FlowbitKind,
    FlowDirection,
    PacketField,
    Policy,
    Rule,
    RuleType,
    StatefulDefault,
    StatelessStage,
)

F = PacketField
QUERIES = {ICMP: {0, 8, 13, 14, 15, 16, 17, 18}, ICMP6: {128, 129}}


def value_of(record: np.void, wanted: PacketField) -> int | None:
    """The field's value, or None if the packet does not have it."""
    proto, version, marks = (int(record[name]) for name in ("proto", "version", "marks"))
    transport = proto if marks & MARK_TRANSPORT else None
    piece = 2 if marks & MARK_LATER_FRAGMENT else 1 if marks & MARK_FRAGMENT else 0
    query = transport is not None and int(record["icmp_type"]) in QUERIES.get(transport, ())
    present = {
        F.TCP_FLAGS: transport == TCP,
        F.WINDOW: transport == TCP,
        F.SEQ: transport == TCP,
        F.ACK: transport == TCP,
        F.ICMP_TYPE: transport in (ICMP, ICMP6),
        F.ICMP_CODE: transport in (ICMP, ICMP6),
        F.ICMP_ID: query,
        F.ICMP_SEQ: query,
        F.TOS: version == 4,
        F.IP_OPTIONS: version == 4,
        F.IP_ID: version == 4,
        F.FRAG_BITS: version == 4,
        F.FRAG_OFFSET: version == 4 or piece > 0 or bool(record["extensions"] & 2),
        F.PAYLOAD_LENGTH: piece < 2,
    }
    if not present.get(wanted, True):
        return None
    columns = {
        F.TCP_FLAGS: "tcp_flags",
        F.ICMP_TYPE: "icmp_type",
        F.ICMP_CODE: "icmp_code",
        F.ICMP_ID: "icmp_id",
        F.ICMP_SEQ: "icmp_seq",
        F.TTL: "ttl",
        F.TOS: "tos",
        F.PROTOCOL: "proto",
        F.IP_OPTIONS: "ipopts",
        F.WINDOW: "window",
        F.SEQ: "seq",
        F.ACK: "ack",
        F.IP_ID: "ip_id",
        F.INTERFACE: "interface",
        F.IP_VERSION: "version",
    }
    if wanted in columns:
        return int(record[columns[wanted]])
    if wanted is F.PAYLOAD_LENGTH:
        return payload_length(proto, int(record["icmp_type"]), int(record["payload_length"]))
    if wanted is F.FRAG_BITS:
        return int(record["frag"]) & 0xE000
    if wanted is F.FRAG_OFFSET:
        return int(record["frag"]) & 0x1FFF
    if wanted is F.FRAGMENT:
        return piece
    assert wanted is F.SAME_ADDRESS
    return int(record["src_hi"] == record["dst_hi"] and record["src_lo"] == record["dst_lo"])


def payload_length(proto: int, message: int, length: int) -> int:
    """As Suricata counts it: what it takes for a message's fixed part is no payload."""
    fixed = {TCP: 0, UDP: 0, SCTP: 0, ESP: 8, ICMP: 12 if message in (13, 14) else 0, ICMP6: 4 if message >= 130 else 0}
    return max(length - fixed.get(proto, 0x10000), 0)


def address(record: np.void, side: str) -> int:
    return int(record[side + "_hi"]) << 64 | int(record[side + "_lo"])


def header_matches(rule: Rule, record: np.void) -> bool:
    """Protocol, addresses, ports and conditions, either way round for a `<>` rule."""
    version, ports = int(record["version"]), bool(record["marks"] & MARK_PORTS)
    source, destination = address(record, "src"), address(record, "dst")

    def port(wanted, number):
        return wanted.is_any or (ports and wanted.contains(number))

    def ahead(a, ap, b, bp):
        return (
            a.contains(version, source)
            and b.contains(version, destination)
            and port(ap, int(record["sport"]))
            and port(bp, int(record["dport"]))
        )

    ends = (rule.source, rule.source_ports, rule.destination, rule.destination_ports)
    if rule.protocols is not None and int(record["proto"]) not in rule.protocols:
        return False
    if not ahead(*ends) and not (rule.bidirectional and ahead(*ends[2:], *ends[:2])):
        return False
    for condition in rule.conditions:
        value = value_of(record, condition.field)
        if value is None:
            return False
        inside = any(low <= value & condition.mask <= high for low, high in condition.ranges)
        if inside == condition.negated:
            return False
    return True


def judge_stateless(stage: StatelessStage, record: np.void) -> tuple[Action, Reason, int]:
    """Action, reason and rule index of one packet."""
    for index, rule in enumerate(stage.rules):
        if header_matches(rule, record):
            return rule.action, Reason.STATELESS_RULE, index
    if record["marks"] & MARK_FRAGMENT:
        other = stage.fragments if stage.other_fragments is None else stage.other_fragments
        return stage.fragments if record["proto"] == UDP else other, Reason.STATELESS_FRAGMENT_DEFAULT, NO_RULE
    return stage.default, Reason.STATELESS_DEFAULT, NO_RULE


@dataclass
class Flow:
    """What rules remember of a flow."""

    verdict: Action | None = None
    rule: int = NO_RULE
    seen: set[int] = field(default_factory=set)
    bits: set[str] = field(default_factory=set)


@dataclass
class Outcome:
    verdict: Verdict
    reason: Reason
    scope: int
    rule: int
    default: str = ""
    alerts: list[tuple[int | str, bool]] = field(default_factory=list)


def flow_matches(rule: Rule, record: np.void, flow: Flow | None, side: int, established: bool, due: bool) -> bool:
    if rule.type is RuleType.IP_ONLY and not due:
        return False
    option = rule.flow
    if option is not None:
        wanted = None if option.direction is None else (0 if option.direction is FlowDirection.TO_SERVER else 1)
        if wanted is not None and wanted != side:
            return False
        if option.established is not None and option.established != established:
            return False
        if option.fragment is not None and option.fragment != bool(record["marks"] & MARK_REASSEMBLED):
            return False
        if option.stream:
            return False
    bits = flow.bits if flow is not None else set()
    for each in rule.flowbits:
        if each.kind in (FlowbitKind.ISSET, FlowbitKind.ISNOTSET):
            wanted = each.kind is FlowbitKind.ISSET
            if not any((name in bits) == wanted for name in each.names):
                return False
    return True


def defaults_for(
    policy: Policy, record: np.void, flow: Flow | None, side: int, established: bool
) -> list[tuple[str, bool, bool, Reason]]:
    """Default actions that apply to a packet: name, drops, reports, reason."""
    to_server = established and side == 0
    other = int(record["proto"]) != TCP
    applies = {
        "strict": (True, Reason.DEFAULT_DROP_STRICT),
        "established": (other or to_server, Reason.DEFAULT_DROP_ESTABLISHED),
        "established_app_layer": (other or established, Reason.DEFAULT_DROP_APP_LAYER),
        "established_app_layer_to_server": (other or to_server, Reason.DEFAULT_DROP_APP_LAYER_TO_SERVER),
    }
    found = []
    for name, (hit, reason) in applies.items():
        drops = StatefulDefault("drop_" + name) in policy.stateful.default
        reports = StatefulDefault("alert_" + name) in policy.stateful.default
        if hit and (drops or reports):
            found.append((f"aws:{'alert' if reports else 'drop'}_{name} action", drops, reports, reason))
    return sorted(found, key=lambda each: not each[1])


def judge_stateful(
    policy: Policy, record: np.void, flow: Flow | None, side: int, established: bool, limit: int = 15
) -> Outcome:
    """The verdict on one packet; changes the flow."""
    if flow is not None and flow.verdict is not None:
        passed = flow.verdict is Action.PASS
        reason = Reason.FLOW_PASS if passed else Reason.FLOW_DROP
        return Outcome(Verdict.PASS if passed else Verdict.DROP, reason, 1, flow.rule)
    due = flow is None or side not in flow.seen
    if flow is None:  # as a flow's first packet; a SYN-ACK can only answer a client
        side = int(record["proto"] == TCP and record["tcp_flags"] & 0x17 == 0x12)
    else:
        flow.seen.add(side)
    outcome = Outcome(Verdict.PASS, Reason.NO_RULE, 0, NO_RULE)
    decided = ended = False

    def report(what, blocked):
        if len(outcome.alerts) < limit:
            outcome.alerts.append((what, blocked))

    for index, rule in enumerate(policy.stateful.rules):
        if not header_matches(rule, record) or not flow_matches(rule, record, flow, side, established, due):
            continue
        if flow is not None:
            for each in rule.flowbits:
                for name in each.names:
                    if each.kind is FlowbitKind.SET:
                        flow.bits.add(name)
                    elif each.kind is FlowbitKind.UNSET:
                        flow.bits.discard(name)
                    elif each.kind is FlowbitKind.TOGGLE:
                        flow.bits ^= {name}
        if ended:
            continue
        drops = rule.action in (Action.DROP, Action.REJECT)
        if not rule.noalert and (rule.action is not Action.PASS or rule.alert):
            report(index, drops)
        if rule.action is Action.ALERT:
            continue
        marks = rule.type is not RuleType.PACKET and flow is not None and flow.verdict is None
        if marks:
            flow.verdict, flow.rule = rule.action, index
        adds_answer = rule.action is Action.REJECT and outcome.verdict is Verdict.DROP
        if not decided or adds_answer:
            verdict = {Action.PASS: Verdict.PASS, Action.DROP: Verdict.DROP, Action.REJECT: Verdict.REJECT}[rule.action]
            outcome.verdict, outcome.rule, outcome.scope = verdict, index, int(marks)
            outcome.reason = Reason.RULE_FLOW if marks else Reason.RULE
            decided = True
        ended = rule.action is Action.PASS
    if decided:
        return outcome
    for name, drops, reports, reason in defaults_for(policy, record, flow, side, established):
        if reports:
            report(name, drops)
        if drops and not decided:
            outcome.verdict, outcome.reason, outcome.default, decided = Verdict.DROP, reason, name, True
    return outcome
