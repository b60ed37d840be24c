from __future__ import annotations

from ipaddress import ip_address

import pytest

from twinwall.conntrack.entry import ST_SEEN_REPLY
from twinwall.conntrack.protocols.tcp import TcpState
from twinwall.events.known_flow import KnownFlow, flow_event, flow_id, known_flow_id
from twinwall.events.rows import FlowRow
from twinwall.path.flow_state import FLOW_DROP
from twinwall.path.layout import ICMP, TCP, UDP

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND

CLIENT, SERVER = (0, int(ip_address("10.0.0.1"))), (0, int(ip_address("192.0.2.7")))


def row(**more):
    known = {
        "src_lo": CLIENT[1], "dst_lo": SERVER[1], "sport": 40000, "dport": 443, "proto": TCP, "version": 4,
        "state": TcpState.TIME_WAIT, "status": ST_SEEN_REPLY, "o_packets": 6, "o_bytes": 700, "r_packets": 4, "r_bytes": 900,
        "start": START, "last_seen": START + 3 * SECOND,
    }  # fmt: skip
    return FlowRow(**dict.fromkeys(FlowRow._fields, 0) | known | more)


def test_an_ended_connection_in_full():
    flow = row(verdict=FLOW_DROP)
    assert flow_event(KnownFlow(flow, ended=True, counted=True, state_known=True, alerted=True)) == {
        "timestamp": "2023-11-14T22:13:23.000000+0000",
        "flow_id": known_flow_id(flow),
        "event_type": "flow",
        "src_ip": "10.0.0.1",
        "src_port": 40000,
        "dest_ip": "192.0.2.7",
        "dest_port": 443,
        "proto": "TCP",
        "flow": {
            "pkts_toserver": 6,
            "pkts_toclient": 4,
            "bytes_toserver": 700,
            "bytes_toclient": 900,
            "start": "2023-11-14T22:13:20.000000+0000",
            "end": "2023-11-14T22:13:23.000000+0000",
            "age": 3,
            "state": "closed",
            "reason": "unknown",
            "alerted": True,
            "action": "drop",
        },
        "tcp": {"state": "closed"},
    }


@pytest.mark.parametrize(
    ("flow", "absent"),
    [
        (
            KnownFlow(row(), ended=True, counted=False, state_known=True),
            "pkts_toserver pkts_toclient bytes_toserver bytes_toclient",
        ),
        (KnownFlow(row(start=0), ended=True, counted=True, state_known=True), "start age"),
        (KnownFlow(row(), ended=False, counted=True, state_known=True), "end age reason alerted"),
    ],
)
def test_what_the_kernel_does_not_tell_is_not_in_the_record(flow, absent):
    everything = flow_event(KnownFlow(row(), ended=True, counted=True, state_known=True))["flow"]
    assert set(everything) - set(flow_event(flow)["flow"]) == set(absent.split())


def test_a_state_that_is_not_told_is_no_state():
    record = flow_event(KnownFlow(row(state=0), ended=True, counted=True, state_known=False))
    assert "tcp" not in record


def test_a_datagram_flow_is_established_once_answered():
    states = [
        flow_event(KnownFlow(row(proto=UDP, state=0, status=status), ended=True, counted=True, state_known=False))["flow"][
            "state"
        ]
        for status in (0, ST_SEEN_REPLY)
    ]
    assert states == ["new", "established"]


def test_the_identifier_is_the_same_from_both_sides_and_differs_otherwise():
    one = flow_id(TCP, (*CLIENT, 40000), (*SERVER, 443))
    assert one == flow_id(TCP, (*SERVER, 443), (*CLIENT, 40000))
    others = [
        flow_id(UDP, (*CLIENT, 40000), (*SERVER, 443)),
        flow_id(TCP, (*CLIENT, 40001), (*SERVER, 443)),
        flow_id(TCP, (*CLIENT, 443), (*SERVER, 40000)),
    ]
    assert len({one, *others}) == 4
    assert 0 < one < 1 << 53


def test_a_ping_is_known_by_its_identifier():
    flow = row(proto=ICMP, sport=77, dport=8 << 8)
    assert known_flow_id(flow) == flow_id(ICMP, (*CLIENT, 77), (*SERVER, 77))
