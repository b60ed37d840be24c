"""EVE `alert`: a rule matched a packet and reports it."""

from __future__ import annotations

from operator import itemgetter

from twinwall.engine.batch import DecisionBatch
from twinwall.events.address import eve_address
from twinwall.events.packet import WITH_PORTS, JsonObject, packet_head, packet_verdict, side
from twinwall.events.rows import AlertRow, PacketRow, alert_rows
from twinwall.events.timestamp import eve_time
from twinwall.path.layout import MARK_QUOTE
from twinwall.path.reason import Reason, StageName, Verdict
from twinwall.policy.model import Action, Rule


def alert_records(batch: DecisionBatch) -> list[JsonObject]:
    """A record for each of the batch's alerts, in their order."""
    return [alert_record(batch, alert, packet) for alert, packet in alert_rows(batch)]


def alert_record(batch: DecisionBatch, alert: AlertRow, packet: PacketRow) -> JsonObject:
    """The record of one alert of the batch."""
    rule = batch.rules.stateful[alert.rule]
    record = packet_head(batch, packet, "alert")
    record["alert"] = with_metadata(rule_fields(rule, blocked=bool(alert.blocked)), rule)
    if alert.flow_id:
        record["direction"] = side(alert.direction)
        record["flow"] = _flow_snapshot(alert, packet)
    record["verdict"] = verdict_of(batch, packet)
    return record


def rule_fields(rule: Rule, *, blocked: bool) -> JsonObject:
    """The object `alert`: what the rule says of itself, and whether this rule blocks."""
    return {
        "action": "blocked" if blocked else "allowed",
        "gid": rule.gid,
        "signature_id": rule.sid,
        "rev": rule.rev,
        "signature": rule.message,
        "category": rule.category,
        "severity": rule.priority,
    }


def with_metadata(said: JsonObject, rule: Rule) -> JsonObject:
    """The object `alert` of an alert's record, which has the rule's metadata too, if there are any."""
    return {**said, "metadata": rule_metadata(rule)} if rule.metadata else said


def rule_metadata(rule: Rule) -> dict[str, list[str]]:
    """The rule's metadata by key, as Suricata lists it: keys in the order of their letters, the values of one last first."""
    values: dict[str, list[str]] = {}
    for key, value in sorted(rule.metadata, key=itemgetter(0)):
        values.setdefault(key, []).insert(0, value)
    return values


def verdict_of(batch: DecisionBatch, packet: PacketRow) -> JsonObject:
    """The verdict on a packet of the batch."""
    passed = packet.verdict == Verdict.PASS and (packet.reason == Reason.FLOW_PASS or _has_pass_rule(batch, packet))
    return packet_verdict(packet, passed=passed)


def _has_pass_rule(batch: DecisionBatch, packet: PacketRow) -> bool:
    rule = batch.rules.rule(packet.stage, packet.rule)
    return packet.stage == StageName.STATEFUL and rule is not None and rule.action is Action.PASS


def _flow_snapshot(alert: AlertRow, packet: PacketRow) -> JsonObject:
    flow: JsonObject = {
        "pkts_toserver": alert.o_packets,
        "pkts_toclient": alert.r_packets,
        "bytes_toserver": alert.o_bytes,
        "bytes_toclient": alert.r_bytes,
        "start": eve_time(alert.start),
    }
    if packet.marks & MARK_QUOTE:
        return flow  # the flow is the quoted packet's: this packet's addresses are not the flow's
    source = eve_address(packet.version, packet.src_hi, packet.src_lo)
    destination = eve_address(packet.version, packet.dst_hi, packet.dst_lo)
    flow["src_ip"], flow["dest_ip"] = (destination, source) if alert.direction else (source, destination)
    if packet.proto in WITH_PORTS:
        ports = (packet.sport, packet.dport)
        flow["src_port"], flow["dest_port"] = reversed(ports) if alert.direction else ports
    return flow
