"""EVE `stats`: Suricata's counters, as far as the engines measure them; a counter that they do not measure is not written.

The record's `timestamp` is the capture's last packet, and `uptime` the whole seconds that the capture covers.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from twinwall.conntrack.entry import END_REPLACED
from twinwall.engine.batch import DecisionBatch
from twinwall.events.drop import DROP_REASONS, drop_reason
from twinwall.events.flow import SESSION_STATES, FlowState, flow_state, session_state
from twinwall.events.packet import JsonObject
from twinwall.events.rows import FlowRow, flow_rows
from twinwall.events.timestamp import age_seconds, eve_time
from twinwall.path.layout import (
    ACK,
    ESP,
    GRE,
    ICMP,
    ICMP6,
    LINK_ETHERNET,
    LINK_LOOP,
    LINK_NULL,
    LINK_RAW,
    LINK_SLL,
    LINK_SLL2,
    MARK_FRAGMENT,
    MARK_IP,
    MARK_REASSEMBLED,
    MARK_TRANSPORT,
    RST,
    SCTP,
    SYN,
    TCP,
    UDP,
    URG,
)
from twinwall.path.reason import Reason, Verdict

LINK_COUNTERS = {
    "ethernet": (LINK_ETHERNET,),
    "raw": (LINK_RAW,),
    "null": (LINK_NULL, LINK_LOOP),
    "sll": (LINK_SLL, LINK_SLL2),
}
PROTOCOL_COUNTERS = {"tcp": TCP, "udp": UDP, "sctp": SCTP, "esp": ESP, "icmpv4": ICMP, "icmpv6": ICMP6, "gre": GRE}
VLAN_COUNTERS = {"vlan": 1, "vlan_qinq": 2, "vlan_qinqinq": 3}
FLOW_PROTOCOLS = {TCP: "tcp", UDP: "udp", ICMP: "icmpv4", ICMP6: "icmpv6"}
DROP_COUNTERS = sorted({word.replace(" ", "_") for word in DROP_REASONS.values()} | {"decode_error", "rules"})


def _count(chosen: NDArray[np.bool_]) -> int:
    return int(np.count_nonzero(chosen))


class Statistics:
    """Counts over the batches of one run; `record` gives them as EVE."""

    def __init__(self) -> None:
        self._decoder: Counter[str] = Counter()
        self._tcp: Counter[str] = Counter()
        self._defrag: Counter[str] = Counter()
        self._verdicts: Counter[Verdict] = Counter()
        self._drops: Counter[str] = Counter()
        self._flows: Counter[str] = Counter()
        self._states: Counter[str] = Counter()
        self._tcp_states: Counter[str] = Counter()
        self._alerts = 0
        self._largest = 0
        self._first: int | None = None
        self._last = 0

    def add(self, batch: DecisionBatch) -> None:
        """Count one batch."""
        self._alerts += len(batch.alerts)
        for flow in flow_rows(batch):
            self._add_flow(flow)
        if len(batch) == 0:
            return
        times = batch.decisions["timestamp"]
        self._first = int(times.min()) if self._first is None else min(self._first, int(times.min()))
        self._last = max(self._last, int(times.max()))
        self._add_frames(batch)
        self._add_tcp(batch)
        self._add_verdicts(batch)

    def _add_frames(self, batch: DecisionBatch) -> None:
        lengths, records = batch.decisions["length"], batch.records
        ip = records["marks"] & MARK_IP != 0
        count = self._decoder
        count["pkts"] += len(batch)
        count["bytes"] += int(lengths.sum(dtype=np.uint64))
        self._largest = max(self._largest, int(lengths.max()))
        reasons = batch.decisions["reason"]
        count["invalid"] += _count((reasons >= Reason.TRUNCATED_LINK) & (reasons < Reason.STATELESS_RULE))
        for name, version in (("ipv4", 4), ("ipv6", 6)):
            count[name] += _count(ip & (records["version"] == version))
        for name, links in LINK_COUNTERS.items():
            count[name] += _count(np.isin(records["link"], links))
        for name, protocol in PROTOCOL_COUNTERS.items():
            count[name] += _count(ip & (records["proto"] == protocol))
        for name, tags in VLAN_COUNTERS.items():
            count[name] += _count(records["vlan_count"] >= tags)
        for version in (4, 6):
            for name, mark in (("fragments", MARK_FRAGMENT), ("reassembled", MARK_REASSEMBLED)):
                self._defrag[f"ipv{version}.{name}"] += _count((records["version"] == version) & (records["marks"] & mark != 0))

    def _add_tcp(self, batch: DecisionBatch) -> None:
        records = batch.records
        flags = records["tcp_flags"][(records["proto"] == TCP) & (records["marks"] & MARK_TRANSPORT != 0)]
        self._tcp["syn"] += _count(flags & (SYN | ACK) == SYN)
        self._tcp["synack"] += _count(flags & (SYN | ACK) == SYN | ACK)
        self._tcp["rst"] += _count(flags & RST != 0)
        self._tcp["urg"] += _count(flags & URG != 0)

    def _add_verdicts(self, batch: DecisionBatch) -> None:
        verdicts, reasons = batch.decisions["verdict"], batch.decisions["reason"]
        for verdict in Verdict:
            self._verdicts[verdict] += _count(verdicts == verdict)
        for reason, packets in enumerate(np.bincount(reasons[verdicts != Verdict.PASS]).tolist()):
            if packets:
                self._drops[drop_reason(reason).replace(" ", "_")] += packets

    def _add_flow(self, flow: FlowRow) -> None:
        self._flows["total"] += 1
        self._flows[FLOW_PROTOCOLS.get(flow.proto, "")] += 1
        self._flows["tcp_reuse"] += flow.proto == TCP and flow.end_reason == END_REPLACED
        self._states[flow_state(flow)] += 1
        if flow.proto == TCP:
            self._tcp_states[session_state(flow)] += 1

    def record(self) -> JsonObject:
        """The record, of everything counted so far."""
        uptime = 0 if self._first is None else age_seconds(self._first, self._last)
        ips = {
            "accepted": self._verdicts[Verdict.PASS],
            "blocked": self._verdicts[Verdict.DROP],
            "rejected": self._verdicts[Verdict.REJECT],
            "drop_reason": {name: self._drops[name] for name in DROP_COUNTERS},
        }
        stats: JsonObject = {
            "uptime": uptime,
            "ips": ips,
            "decoder": self._decoder_counters(),
            "tcp": {name: self._tcp[name] for name in ("syn", "synack", "rst", "urg")},
            "flow": self._flow_counters(),
            "defrag": {
                version: {name: self._defrag[f"{version}.{name}"] for name in ("fragments", "reassembled")}
                for version in ("ipv4", "ipv6")
            },
            "detect": {"alert": self._alerts},
        }
        return {"timestamp": eve_time(self._last), "event_type": "stats", "stats": stats}

    def _decoder_counters(self) -> JsonObject:
        names = ("pkts", "bytes", "invalid", "ipv4", "ipv6", *LINK_COUNTERS, *PROTOCOL_COUNTERS, *VLAN_COUNTERS)
        counters: JsonObject = {name: self._decoder[name] for name in names}
        counters["avg_pkt_size"] = self._decoder["bytes"] // max(self._decoder["pkts"], 1)
        counters["max_pkt_size"] = self._largest
        return counters

    def _flow_counters(self) -> JsonObject:
        counters: JsonObject = {name: self._flows[name] for name in ("total", *FLOW_PROTOCOLS.values(), "tcp_reuse")}
        counters["end"] = {
            "state": {state.value: self._states[state] for state in FlowState},
            "tcp_state": {state: self._tcp_states[state] for state in SESSION_STATES},
        }
        return counters
