"""One capture with a verdict for each packet, written down by hand: what the engine would say of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from tests.events.batches import rows, rule
from tests.events.frames import between, ethernet, icmp, moment, tcp, udp
from twinwall.conntrack.entry import END_SHUTDOWN, ENTRY, ST_SEEN_REPLY
from twinwall.conntrack.protocols.tcp import TcpState
from twinwall.engine.batch import DecisionBatch, RuleBook
from twinwall.path.decode import decode
from twinwall.path.layout import ALERT, DECISION, FRAME, NO_RULE, RECORD, RECORD_BYTES
from twinwall.path.primitives import Pointer
from twinwall.path.reason import Reason, StageName, Verdict
from twinwall.policy.model import Action

CLIENT, SERVER = "10.0.0.5", "198.51.100.7"
CLIENT6, SERVER6 = "2001:db8::1", "2001:db8::2:0"
SYN, SYNACK, ACK, PUSH, FIN, RST = 2, 0x12, 0x10, 0x18, 0x11, 4

RULES = (
    rule(1, Action.ALERT, message="watch", category="Potential Corporate Privacy Violation", priority=1, rev=3,
         metadata=(("tag", "a"), ("made", "2020"), ("tag", "b"))),
    rule(3, message="no udp"),
    rule(4, message="no timestamps", priority=7),
    rule(5, Action.ALERT, message="echo"),
    rule(6),
    rule(7, Action.REJECT, message="closed"),
    rule(8, message="gre"),
    rule(12, Action.REJECT, message="closed too"),
)  # fmt: skip

SURICATA_RULES = """
alert tcp any any -> any 9000 (msg:"watch"; flow:to_server; classtype:policy-violation; \
metadata:tag a, made 2020, tag b; rev:3; sid:1;)
drop udp any any -> any 6001 (msg:"no udp"; sid:3;)
drop icmp any any -> any any (msg:"no timestamps"; itype:13; priority:7; sid:4;)
alert icmp any any -> any any (msg:"echo"; itype:8; sid:5;)
drop icmp any any -> any any (itype:128; sid:6;)
reject tcp any any -> any 9009 (msg:"closed"; sid:7;)
drop ip any any -> any any (msg:"gre"; ip_proto:47; sid:8;)
reject udp any any -> any 6009 (msg:"closed too"; sid:12;)
"""


@dataclass
class Said:
    """A frame, and what the engine says of it."""

    frame: bytes
    flow: str = ""  # a name; empty: the packet has no flow
    reply: bool = False
    verdict: Verdict = Verdict.PASS
    reason: Reason = Reason.NO_RULE
    sid: int = 0
    alerts: tuple[int, ...] = ()


@dataclass
class FlowSeen:
    """An entry of the tracker, as the test counts it."""

    fields: dict = field(default_factory=dict)

    def count(self, record: np.void, reply: bool, length: int, now: int) -> None:
        side = "r" if reply else "o"
        if not self.fields:
            names = ("src_hi", "src_lo", "dst_hi", "dst_lo", "proto", "version", "sport", "dport")
            self.fields = {name: int(record[name]) for name in names} | {"start": now}
            if record["proto"] in (1, 58):
                self.fields |= {"sport": int(record["icmp_id"])}
                self.fields |= {"dport": int(record["icmp_type"]) << 8 | int(record["icmp_code"])}
        seen = self.fields
        seen[f"{side}_packets"] = seen.get(f"{side}_packets", 0) + 1
        seen[f"{side}_bytes"] = seen.get(f"{side}_bytes", 0) + length
        seen[f"{side}_flags"] = seen.get(f"{side}_flags", 0) | int(record["tcp_flags"])
        seen[f"{side}_min_ttl"] = min(seen.get(f"{side}_min_ttl", 255), int(record["ttl"]))
        seen[f"{side}_max_ttl"] = max(seen.get(f"{side}_max_ttl", 0), int(record["ttl"]))
        seen |= {"last_seen": now, "deadline": now, "end_reason": END_SHUTDOWN}
        if reply:
            seen["status"] = ST_SEEN_REPLY


HELLO = [(0, 100, 0, SYN, b""), (1, 500, 101, SYNACK, b""), (0, 101, 501, ACK, b""), (0, 101, 501, PUSH, b"hello"),
         (1, 501, 106, PUSH, b"reply")]  # fmt: skip
CLIENT_CLOSES = [(0, 106, 506, FIN, b""), (1, 506, 107, ACK, b""), (1, 506, 107, FIN, b""), (0, 107, 507, ACK, b"")]
SERVER_CLOSES = [(1, 506, 106, FIN, b""), (0, 106, 507, ACK, b""), (0, 106, 507, FIN, b""), (1, 507, 107, ACK, b"")]
RESET = [(0, 106, 0, RST, b"")]


def segments(name: str, port: int, script: list[tuple], *, alerts: tuple[int, ...] = (), v6: bool = False) -> Iterator[Said]:
    """The segments of a TCP connection: reply or not, seq, ack, flags, data."""
    client, server = (CLIENT6, SERVER6) if v6 else (CLIENT, SERVER)
    for reply, seq, ack, flags, data in script:
        if reply:
            packet = between(server, client, 6, tcp(port, 40000, seq, ack, flags, data), ttl=50 + len(data))
        else:
            packet = between(client, server, 6, tcp(40000, port, seq, ack, flags, data))
        yield Said(ethernet(packet), name, bool(reply), alerts=() if reply else alerts)


# Connections by name: what is sent, and the state in which Linux's table leaves them.  After both sides' FIN the tracker no
# longer knows who closed first, so that only the client's order is here.
CONNECTIONS = {
    "syn": (HELLO[:1], TcpState.SYN_SENT),
    "synack": (HELLO[:2], TcpState.SYN_RECV),
    "established": (HELLO, TcpState.ESTABLISHED),
    "client fin": (HELLO + CLIENT_CLOSES[:1], TcpState.FIN_WAIT),
    "client half": (HELLO + CLIENT_CLOSES[:2], TcpState.CLOSE_WAIT),
    "both": (HELLO + CLIENT_CLOSES[:3], TcpState.LAST_ACK),
    "client first": (HELLO + CLIENT_CLOSES, TcpState.TIME_WAIT),
    "server fin": (HELLO + SERVER_CLOSES[:1], TcpState.FIN_WAIT),
    "server half": (HELLO + SERVER_CLOSES[:2], TcpState.CLOSE_WAIT),
    "server first": (HELLO + SERVER_CLOSES, TcpState.TIME_WAIT),
    "reset": (HELLO + RESET, TcpState.CLOSE),
}


def conversation() -> list[Said]:
    """Every packet, in the order of the capture."""
    drop, reject, rule_, flow_ = Verdict.DROP, Verdict.REJECT, Reason.RULE, Reason.RULE_FLOW
    said = list(segments("watched", 9000, HELLO + CLIENT_CLOSES, alerts=(1,)))
    for index, (name, (script, _)) in enumerate(CONNECTIONS.items()):
        said += segments(name, 9100 + index, script, v6=index == 2)
    lost = ethernet(between(CLIENT, SERVER, 17, udp(5001, 6001, b"xx")), 5)
    said.append(Said(lost, "udp", verdict=drop, reason=flow_, sid=3, alerts=(3,)))
    said.append(Said(lost, "udp", verdict=drop, reason=Reason.FLOW_DROP, sid=3))
    back = ethernet(between(SERVER, CLIENT, 17, udp(6001, 5001, b"xyz")), 5)
    said.append(Said(back, "udp", True, drop, Reason.FLOW_DROP, 3))
    six = ethernet(between(CLIENT6, SERVER6, 17, udp(5002, 6001, b"xx")), 5, 6)
    said.append(Said(six, "udp6", verdict=drop, reason=flow_, sid=3, alerts=(3,)))
    said.append(Said(ethernet(between(CLIENT, SERVER, 17, udp(5003, 6003, b"?"))), "query"))
    said.append(Said(ethernet(between(SERVER, CLIENT, 17, udp(6003, 5003, b"!"), 9)), "query", True))
    said.append(Said(ethernet(between(CLIENT, SERVER, 1, icmp(8, 0, 77, 1))), "ping", alerts=(5,)))
    said.append(Said(ethernet(between(SERVER, CLIENT, 1, icmp(0, 0, 77, 1))), "ping", True))
    stamp = ethernet(between(CLIENT, SERVER, 1, icmp(13, 0, 0x1234, 3)))
    said.append(Said(stamp, "stamp", verdict=drop, reason=rule_, sid=4, alerts=(4,)))
    ping6 = ethernet(between(CLIENT6, SERVER6, 58, icmp(128, 0, 77, 1)))
    said.append(Said(ping6, "ping6", verdict=drop, reason=rule_, sid=6, alerts=(6,)))
    refused = ethernet(between(CLIENT, SERVER, 6, tcp(40009, 9009, 1, 0, 0xE2, urgent=9)))
    said.append(Said(refused, "refused", verdict=reject, reason=flow_, sid=7, alerts=(7,)))
    refused = ethernet(between(CLIENT, SERVER, 17, udp(5009, 6009, b"")))
    said.append(Said(refused, "refused udp", verdict=reject, reason=flow_, sid=12, alerts=(12,)))
    gre = ethernet(between(CLIENT, SERVER, 47, b"\0\0\x12\x34" + b"x" * 20))
    said.append(Said(gre, verdict=drop, reason=rule_, sid=8, alerts=(8,)))
    return said


def decoded(frame: bytes) -> np.void:
    """The frame's record, as the packet path decodes it."""
    memory = bytearray(RECORD_BYTES)
    packet = Pointer(frame)
    decode(packet, packet + len(frame), 0, len(frame), Pointer(memory))
    return np.frombuffer(bytes(memory), dtype=RECORD)[0]


def conversation_batch() -> DecisionBatch:
    """The conversation as the engine yields it."""
    index_of = {each.sid: index for index, each in enumerate(RULES)}
    flows: dict[str, FlowSeen] = {}
    decisions, records, frames, alerts = [], [], [], []
    memory = b""
    for index, said in enumerate(conversation()):
        record, length, now = decoded(said.frame), len(said.frame), moment(index)
        records.append(record)
        frames.append({"offset": len(memory), "captured_length": length, "wire_length": length, "timestamp": now})
        memory += said.frame
        flow_id = 0
        seen = FlowSeen()
        if said.flow:
            seen = flows.setdefault(said.flow, FlowSeen())
            seen.count(record, said.reply, length, now)
            seen.fields["alerts"] = seen.fields.get("alerts", 0) + len(said.alerts)
            if said.reason == Reason.RULE_FLOW:
                seen.fields["verdict"] = 3 if said.verdict is Verdict.REJECT else 2
            flow_id = seen.fields["flow_id"] = list(flows).index(said.flow) + 1
        decisions.append({
            "packet": index + 1, "timestamp": now, "flow_id": flow_id, "length": length, "verdict": said.verdict,
            "stage": StageName.STATEFUL, "reason": said.reason, "direction": said.reply if said.flow else 2,
            "rule": index_of[said.sid] if said.sid else NO_RULE,
        })  # fmt: skip
        counters = ("o_packets", "o_bytes", "r_packets", "r_bytes", "start")
        alerts += [
            {"packet": index + 1, "flow_id": flow_id, "rule": index_of[sid], "direction": said.reply,
             "blocked": RULES[index_of[sid]].action is not Action.ALERT}
            | {name: seen.fields.get(name, 0) for name in counters}
            for sid in said.alerts
        ]  # fmt: skip
    ends = {name: state for name, (_, state) in CONNECTIONS.items()}
    ends |= {"watched": TcpState.TIME_WAIT, "refused": TcpState.SYN_SENT}
    for name, seen in flows.items():
        seen.fields["state"] = ends.get(name, 0)
    return DecisionBatch(
        decisions=rows(DECISION, decisions),
        records=np.array(records, dtype=RECORD),
        frames=rows(FRAME, frames),
        buffers=((0, np.frombuffer(memory, dtype=np.uint8)),),
        alerts=rows(ALERT, alerts),
        flows=rows(ENTRY, [seen.fields for seen in flows.values()]),
        rules=RuleBook((), RULES),
    )
