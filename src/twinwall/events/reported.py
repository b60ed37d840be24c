"""EVE `alert` and `drop` of packets that the kernel reports while it enforces.

They are the records of a replay, made by the same code, less what the kernel does not tell: a packet's place in a capture
(`pcap_cnt`), and the direction and the counters of its flow at that moment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from twinwall.conntrack.entry import ENTRY
from twinwall.engine.batch import DecisionBatch, RuleBook
from twinwall.engine.machine import InterpretedMachine, Machine
from twinwall.events.alert import rule_fields, verdict_of, with_metadata
from twinwall.events.drop import drop_fields
from twinwall.events.known_flow import WITH_IDENTIFIER, flow_id
from twinwall.events.packet import JsonObject, packet_head
from twinwall.events.rows import PacketRow, packet_rows
from twinwall.path.decode_all import decode_all
from twinwall.path.layout import ALERT, DECISION, FRAME, LINK_RAW, MARK_PORTS, NO_RULE, RECORD
from twinwall.path.reason import Reason, StageName, Verdict
from twinwall.policy.diagnostic import Span
from twinwall.policy.model import Action, Rule
from twinwall.policy.sets import ANY_ADDRESS, ANY_PORT
from twinwall.render.marks import ACTION_MASK, ACTION_SHIFT, RULE_NUMBER, RuleAction

if TYPE_CHECKING:
    from twinwall.targets.object_cache import PathFunction

VERDICTS: dict[int, Verdict] = {RuleAction.DROP: Verdict.DROP, RuleAction.REJECT: Verdict.REJECT}
DECODING: dict[str, PathFunction] = {"decode_all": decode_all}
INTERPRETED = InterpretedMachine(functions=DECODING)
FLOW_FIELDS = ["version", "proto", "src_hi", "src_lo", "dst_hi", "dst_lo", "sport", "dport", "marks", "icmp_type", "icmp_id"]
ACTIONS: dict[int, Action] = {RuleAction.PASS: Action.PASS, RuleAction.DROP: Action.DROP, RuleAction.REJECT: Action.REJECT}

RuleOf = Callable[[int, int], Rule | None]  # number and generation → the rule


class Report(NamedTuple):
    """A packet that a rule reports.  `packet` begins with its IP header; `word` is its mark: number and action of the rule."""

    packet: bytes
    word: int
    timestamp: int  # nanoseconds since 1970
    interface: str = ""  # that it came in by
    generation: int = 0  # of the policy that reports it; 0: not known

    @property
    def action(self) -> int:
        """What the rule says (render.marks.RuleAction)."""
        return (self.word & ACTION_MASK) >> ACTION_SHIFT


def report_records(reports: Sequence[Report], rule_of: RuleOf, machine: Machine = INTERPRETED) -> list[JsonObject]:
    """The records of reported packets, in their order: an alert, and of a packet that its rule stops, a drop behind it.

    A rule that is not known any more appears by its number.  `machine` executes `DECODING`.
    """
    if not reports:
        return []
    batch = _batch(reports, [_rule(report, rule_of) for report in reports], machine)
    records: list[JsonObject] = []
    for report, packet in zip(reports, packet_rows(batch, np.arange(len(reports))), strict=True):
        records += _records(batch, report, packet)
    return records


def _records(batch: DecisionBatch, report: Report, packet: PacketRow) -> Iterator[JsonObject]:
    """The records of one report; what they have in common is made once."""
    rule = batch.rules.stateful[packet.row]
    said = rule_fields(rule, blocked=packet.verdict != Verdict.PASS)
    head = packet_head(batch, packet, "alert", report.interface)
    alert = {**head, "alert": with_metadata(said, rule)}
    if report.action in (RuleAction.ALERT, RuleAction.INSPECT):
        yield alert  # without a verdict: other rules, or the inspector, decide
        return
    verdict = verdict_of(batch, packet)
    alert["verdict"] = verdict
    yield alert
    if packet.verdict != Verdict.PASS and packet.version:
        drop = {**head, "event_type": "drop", "drop": drop_fields(batch, packet), "verdict": verdict}
        if not rule.noalert:
            drop["alert"] = said
        yield drop


def _rule(report: Report, rule_of: RuleOf) -> Rule:
    number = report.word & RULE_NUMBER
    rule = rule_of(number, report.generation)
    if rule is not None:
        return rule
    message = f"rule number {number} of a policy that is not known here"
    return replace(UNKNOWN, action=ACTIONS.get(report.action, Action.ALERT), message=message)


UNKNOWN = Rule(Action.ALERT, None, ANY_ADDRESS, ANY_PORT, ANY_ADDRESS, ANY_PORT, sid=0, span=Span("", 1, 1), text="")


def _batch(reports: Sequence[Report], rules: Sequence[Rule], machine: Machine) -> DecisionBatch:
    """The reports as a batch in which each packet is decided by its rule."""
    count = len(reports)
    buffer = np.frombuffer(b"".join([report.packet for report in reports]) or b"\0", np.uint8)
    frames, records = _frames(reports), np.zeros(count, RECORD)
    machine.call("decode_all", *map(machine.place, (frames, buffer, records)), count)
    decisions = np.zeros(count, DECISION)
    actions = np.array([report.action for report in reports])
    decisions["timestamp"] = frames["timestamp"]
    decisions["flow_id"] = list(map(_flow_id_of, *(records[name].tolist() for name in FLOW_FIELDS)))
    decisions["rule"] = np.where(actions == RuleAction.ALERT, NO_RULE, np.arange(count))
    decisions["verdict"] = [VERDICTS.get(action, Verdict.PASS) for action in actions.tolist()]
    decisions["stage"], decisions["reason"] = StageName.STATEFUL, Reason.RULE
    nothing = np.zeros(0, ALERT), np.zeros(0, ENTRY)
    return DecisionBatch(decisions, records, frames, ((0, buffer),), *nothing, RuleBook(stateful=rules))


def _frames(reports: Sequence[Report]) -> NDArray[np.void]:
    """Where each packet lies in all of them together."""
    frames = np.zeros(len(reports), FRAME)
    sizes = np.array([len(report.packet) for report in reports])
    frames["offset"] = np.cumsum(sizes) - sizes
    frames["timestamp"] = [report.timestamp for report in reports]
    frames["captured_length"] = sizes
    frames["wire_length"] = [claimed_length(report.packet) for report in reports]
    frames["link"] = LINK_RAW
    return frames


def claimed_length(packet: bytes) -> int:
    """How long an IP packet says it is; at least as long as what is there of it."""
    if len(packet) < 6:
        return len(packet)
    claimed = int.from_bytes(packet[2:4]) if packet[0] >> 4 == 4 else 40 + int.from_bytes(packet[4:6])
    return max(claimed, len(packet))


def decoded(packet: bytes) -> np.void:
    """The RECORD of an IP packet of which the end may be missing."""
    frames, records = _frames([Report(packet, 0, 0)]), np.zeros(1, RECORD)
    buffer = np.frombuffer(packet or b"\0", np.uint8)
    INTERPRETED.call("decode_all", *map(INTERPRETED.place, (frames, buffer, records)), 1)
    row: np.void = records[0]
    return row


def _flow_id_of(*fields: int) -> int:
    version, proto, src_hi, src_lo, dst_hi, dst_lo, sport, dport, marks, kind, ident = fields
    if not version:
        return 0
    if proto in WITH_IDENTIFIER:
        sport = dport = ident if kind in WITH_IDENTIFIER[proto] else 0
    elif not marks & MARK_PORTS:
        sport = dport = 0
    return flow_id(proto, (src_hi, src_lo, sport), (dst_hi, dst_lo, dport))
