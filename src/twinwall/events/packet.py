"""What every record about one packet begins with, in the order in which Suricata writes it.

`timestamp flow_id pcap_cnt event_type vlan src_ip src_port dest_ip dest_port proto icmp_type icmp_code pkt_src`, each present
where it applies.  Source and destination are the packet's, not the flow's.
"""

from __future__ import annotations

from typing import Any

from twinwall.engine.batch import DecisionBatch
from twinwall.events.address import eve_address
from twinwall.events.protocol import NAMES
from twinwall.events.rows import PacketRow
from twinwall.events.timestamp import eve_time
from twinwall.path.layout import ICMP, ICMP6, LINK_ETHERNET, MARK_TRANSPORT, SCTP, TCP, UDP
from twinwall.path.reason import Verdict

JsonObject = dict[str, Any]  # a record on its way to orjson: JSON's own shape, nested

PACKET_SOURCE = "wire/pcap"
WITH_PORTS = frozenset((TCP, UDP, SCTP))  # protocols whose records carry ports, also where a fragment has none
VLAN_MASK = 0xFFF
ETHERNET_TAGS = 14  # where the first tag's number stands in an Ethernet frame


def packet_head(batch: DecisionBatch, packet: PacketRow, event_type: str, interface: str | None = None) -> JsonObject:
    """The common fields of a record about a packet of the batch.

    `interface`: that it came in by (empty: none), of a packet that the kernel reports and that has no number in a capture.
    """
    head: JsonObject = {"timestamp": eve_time(packet.timestamp)}
    if packet.flow_id:
        head["flow_id"] = packet.flow_id
    if interface is None:
        head["pcap_cnt"] = packet.packet
    elif interface:
        head["in_iface"] = interface
    head["event_type"] = event_type
    if packet.vlan_count:
        head["vlan"] = _vlan_tags(batch, packet)
    if packet.version:
        _add_addresses(head, packet)
    head["pkt_src"] = PACKET_SOURCE
    return head


def _vlan_tags(batch: DecisionBatch, packet: PacketRow) -> list[int]:
    """The packet's VLANs, outermost first; of other links than Ethernet the outermost alone."""
    if packet.link != LINK_ETHERNET:
        return [packet.vlan]
    frame = batch.frame_bytes(packet.row)
    starts = range(ETHERNET_TAGS, ETHERNET_TAGS + 4 * packet.vlan_count, 4)
    return [int.from_bytes(frame[start : start + 2]) & VLAN_MASK for start in starts]


def _add_addresses(head: JsonObject, packet: PacketRow) -> None:
    head["src_ip"] = eve_address(packet.version, packet.src_hi, packet.src_lo)
    if packet.proto in WITH_PORTS:
        head["src_port"] = packet.sport
    head["dest_ip"] = eve_address(packet.version, packet.dst_hi, packet.dst_lo)
    if packet.proto in WITH_PORTS:
        head["dest_port"] = packet.dport
    head["proto"] = NAMES[packet.proto]
    if packet.proto in (ICMP, ICMP6) and packet.marks & MARK_TRANSPORT:
        head["icmp_type"] = packet.icmp_type
        head["icmp_code"] = packet.icmp_code


def side(direction: int) -> str:
    """A direction in the rule language's words: 0 is the way the flow's first packet went."""
    return "to_client" if direction else "to_server"


def packet_verdict(packet: PacketRow, *, passed: bool) -> JsonObject:
    """What happened to the packet, as Suricata's `verdict: yes` says it.

    `passed`: a pass rule let it through, rather than the absence of one that stops it.  A reject answers the sender.
    """
    if packet.verdict == Verdict.PASS:
        return {"action": "pass" if passed else "alert"}
    if packet.verdict == Verdict.DROP:
        return {"action": "drop"}
    reply = "tcp-reset" if packet.proto == TCP else "icmp-prohib"
    return {"action": "drop", "reject-target": "to_client", "reject": [reply]}
