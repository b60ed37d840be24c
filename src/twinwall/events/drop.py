"""EVE `drop`: a packet that the firewall stopped, with its header's fields and why.

Every dropped or rejected packet whose IP header could be read has one record (Suricata's `flows: all`).
"""

from __future__ import annotations

import numpy as np

from twinwall.engine.batch import DecisionBatch
from twinwall.events.alert import rule_fields, verdict_of
from twinwall.events.packet import JsonObject, packet_head, side
from twinwall.events.rows import PacketRow, packet_rows
from twinwall.path.layout import ACK, FIN, ICMP, MARK_REASSEMBLED, MARK_TRANSPORT, PSH, RST, SYN, TCP, UDP, URG
from twinwall.path.reason import Direction, Reason, Verdict

# Suricata's words for our reasons; a malformed packet (below STATELESS_RULE) is a "decode error", all others are "rules".
DROP_REASONS: dict[int, str] = {
    Reason.FRAGMENT_INCOMPLETE: "defrag error",
    Reason.FRAGMENT_OVERLAP: "defrag error",
    Reason.FRAGMENT_DUPLICATE: "defrag error",
    Reason.FRAGMENT_LIMIT: "defrag memcap",
    Reason.INVALID: "stream error",
    Reason.MIDSTREAM: "stream midstream",
    Reason.TABLE_FULL: "flow memcap",
    Reason.FLOW_DROP: "flow drop",
}
# A rule is named in the record of the packet that it decided, not in those of its flow's later packets.
NAMES_NO_RULE = (Reason.FLOW_DROP,)
# ICMP messages whose header has an identifier and a sequence number: echo, timestamp, information, address mask.
ICMP_WITH_ID = frozenset((0, 8, 13, 14, 15, 16, 17, 18))


def drop_reason(reason: int) -> str:
    """The word for a `Reason` in the field `drop.reason`, and, with underscores, in the statistics."""
    if reason < Reason.STATELESS_RULE:
        return "decode error"
    return DROP_REASONS.get(reason, "rules")


def drop_records(batch: DecisionBatch) -> list[JsonObject]:
    """A record for each packet of the batch that was stopped and has an IP header."""
    stopped = (batch.decisions["verdict"] != Verdict.PASS) & (batch.records["version"] != 0)
    return [drop_record(batch, packet) for packet in packet_rows(batch, np.flatnonzero(stopped))]


def drop_record(batch: DecisionBatch, packet: PacketRow) -> JsonObject:
    """The record of one stopped packet of the batch."""
    record = packet_head(batch, packet, "drop")
    if packet.flow_id and packet.direction != Direction.NONE:
        record["direction"] = side(packet.direction)
    record["drop"] = drop_fields(batch, packet)
    record["verdict"] = verdict_of(batch, packet)
    rule = batch.rules.rule(packet.stage, packet.rule)
    if rule is not None and not rule.noalert and packet.reason not in NAMES_NO_RULE:
        record["alert"] = rule_fields(rule, blocked=True)
    return record


def drop_fields(batch: DecisionBatch, packet: PacketRow) -> JsonObject:
    """The object `drop`: what stands in the packet's headers, and why it was stopped."""
    fields = _network(batch, packet)
    if packet.marks & MARK_TRANSPORT:
        fields |= _transport(batch, packet)
    fields["reason"] = drop_reason(packet.reason)
    return fields


def _network(batch: DecisionBatch, packet: PacketRow) -> JsonObject:
    if packet.version == 4:
        return {"len": packet.ip_length, "tos": packet.tos, "ttl": packet.ttl, "ipid": packet.ip_id}
    label = _header_field(batch, packet, packet.l3, 4) & 0xFFFFF
    return {"len": max(packet.ip_length - 40, 0), "tc": packet.tos, "hoplimit": packet.ttl, "flowlbl": label}


def _transport(batch: DecisionBatch, packet: PacketRow) -> JsonObject:
    if packet.proto == TCP:
        return _tcp(packet, _header_field(batch, packet, packet.l4 + 18, 2))
    if packet.proto == UDP:
        return {"udplen": packet.payload_length + 8}
    if packet.proto == ICMP:
        has_id = packet.icmp_type in ICMP_WITH_ID
        return {
            "icmp_id": _swapped(packet.icmp_id) if has_id else 0,
            "icmp_seq": _swapped(packet.icmp_seq) if has_id else 0,
        }
    return {}


def _tcp(packet: PacketRow, urgent: int) -> JsonObject:
    flags = packet.tcp_flags
    return {
        "tcpseq": packet.seq,
        "tcpack": packet.ack,
        "tcpwin": packet.window,
        "syn": bool(flags & SYN),
        "ack": bool(flags & ACK),
        "psh": bool(flags & PSH),
        "rst": bool(flags & RST),
        "urg": bool(flags & URG),
        "fin": bool(flags & FIN),
        "tcpres": packet.tcp_reserved & 0x0F,
        "tcpurgp": urgent,
    }


def _swapped(number: int) -> int:
    """Suricata 7 writes these two 16-bit numbers with their bytes swapped; whoever joins its logs with ours needs the same."""
    return (number & 0xFF) << 8 | number >> 8


def _header_field(batch: DecisionBatch, packet: PacketRow, offset: int, size: int) -> int:
    """A big-endian number of the frame; 0 for a datagram put together from fragments, which no one frame holds."""
    if packet.marks & MARK_REASSEMBLED:
        return 0
    return int.from_bytes(batch.frame_bytes(packet.row)[offset : offset + size])
