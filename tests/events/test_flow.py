from __future__ import annotations

import pytest

from tests.events.batches import START, batch
from twinwall.conntrack.entry import (
    END_DROPPED,
    END_EVICTED,
    END_REPLACED,
    END_RESET,
    END_SHUTDOWN,
    END_TIMEOUT,
    ST_SEEN_REPLY,
)
from twinwall.conntrack.protocols.tcp import TcpState
from twinwall.events.flow import flow_record, flow_state, netflow_records
from twinwall.events.rows import flow_rows

FLOW = {
    "src_lo": 0x0A000005, "dst_lo": 0xC6336407, "sport": 40000, "dport": 443, "proto": 6, "version": 4,
    "state": TcpState.TIME_WAIT, "flow_id": 5, "start": START, "last_seen": START + 2_000_000_000,
    "deadline": START + 122_000_000_000, "end_reason": END_TIMEOUT, "status": ST_SEEN_REPLY, "verdict": 1, "alerts": 1,
    "o_packets": 6, "o_bytes": 395, "r_packets": 4, "r_bytes": 3000, "o_flags": 0x1B, "r_flags": 0x53,
    "o_min_ttl": 63, "o_max_ttl": 64, "r_min_ttl": 50, "r_max_ttl": 51,
}  # fmt: skip


def flow(**more):
    return flow_rows(batch([], [], flows=[FLOW | more]))[0]


def test_a_flow_in_full():
    assert flow_record(flow()) == {
        "timestamp": "2026-01-01T00:02:02.123456+0000",
        "flow_id": 5,
        "event_type": "flow",
        "src_ip": "10.0.0.5",
        "src_port": 40000,
        "dest_ip": "198.51.100.7",
        "dest_port": 443,
        "proto": "TCP",
        "flow": {
            "pkts_toserver": 6,
            "pkts_toclient": 4,
            "bytes_toserver": 395,
            "bytes_toclient": 3000,
            "start": "2026-01-01T00:00:00.123456+0000",
            "end": "2026-01-01T00:00:02.123456+0000",
            "age": 2,
            "state": "closed",
            "reason": "timeout",
            "alerted": True,
            "action": "pass",
        },
        "tcp": {
            "tcp_flags": "5b",
            "tcp_flags_ts": "1b",
            "tcp_flags_tc": "53",
            "syn": True,
            "fin": True,
            "psh": True,
            "ack": True,
            "ecn": True,
            "state": "closed",
        },
    }


def test_netflows_turn_the_reply_around():
    client, server = netflow_records(flow())
    assert (client["src_ip"], client["dest_port"], client["netflow"]["pkts"]) == ("10.0.0.5", 443, 6)
    assert server == {
        "timestamp": "2026-01-01T00:02:02.123456+0000",
        "flow_id": 5,
        "event_type": "netflow",
        "src_ip": "198.51.100.7",
        "src_port": 443,
        "dest_ip": "10.0.0.5",
        "dest_port": 40000,
        "proto": "TCP",
        "app_proto": "unknown",
        "netflow": {
            "pkts": 4,
            "bytes": 3000,
            "start": "2026-01-01T00:00:00.123456+0000",
            "end": "2026-01-01T00:00:02.123456+0000",
            "age": 2,
            "min_ttl": 50,
            "max_ttl": 51,
        },
        "tcp": {"tcp_flags": "53", "syn": True, "fin": True, "ack": True, "ecn": True},
    }


def test_a_flow_without_a_reply_has_one_netflow():
    assert len(netflow_records(flow(r_packets=0))) == 1


def test_a_ping_has_its_answer_s_type():
    ping = flow(proto=58, dport=128 << 8, sport=77)
    record = flow_record(ping)
    assert (record["icmp_type"], record["response_icmp_type"], record["response_icmp_code"]) == (128, 129, 0)
    assert "src_port" not in record
    assert [each["icmp_type"] for each in netflow_records(ping)] == [128, 129]
    assert "response_icmp_type" not in flow_record(flow(proto=1, dport=8 << 8, r_packets=0))


@pytest.mark.parametrize(
    ("reason", "word", "time"),
    [
        (END_TIMEOUT, "timeout", "2026-01-01T00:02:02.123456+0000"),
        (END_REPLACED, "tcp_reuse", "2026-01-01T00:00:02.123456+0000"),
        (END_EVICTED, "forced", "2026-01-01T00:00:02.123456+0000"),
        (END_SHUTDOWN, "shutdown", "2026-01-01T00:00:02.123456+0000"),
        (END_RESET, "timeout", "2026-01-01T00:00:02.123456+0000"),  # with the reset, not when its lifetime would be over
        (END_DROPPED, "timeout", "2026-01-01T00:00:02.123456+0000"),
        (0, "unknown", "2026-01-01T00:00:02.123456+0000"),
    ],
)
def test_why_and_when_a_flow_ended(reason, word, time):
    record = flow_record(flow(end_reason=reason))
    assert (record["flow"]["reason"], record["timestamp"]) == (word, time)


@pytest.mark.parametrize(("verdict", "action"), [(0, None), (1, "pass"), (2, "drop"), (3, "drop")])
def test_the_flow_s_verdict(verdict, action):
    assert flow_record(flow(verdict=verdict))["flow"].get("action") == action


def test_other_protocols_are_established_by_an_answer():
    assert flow_state(flow(proto=17)) == "established"
    assert flow_state(flow(proto=17, status=0)) == "new"


def test_a_state_of_every_tcp_state_is_known():
    states = [TcpState(number) for number in range(10)]
    assert {flow_state(flow(state=state)).value for state in states} == {"new", "established", "closed"}
