from __future__ import annotations

from tests.events.batches import START, batch, decision, tcp_record
from tests.events.conversation import conversation, conversation_batch
from twinwall.conntrack.entry import END_REPLACED
from twinwall.events.stats import Statistics
from twinwall.path.layout import MARK_FRAGMENT, MARK_IP, MARK_REASSEMBLED
from twinwall.path.reason import Reason


def test_a_conversation_in_numbers():
    statistics = Statistics()
    statistics.add(conversation_batch())
    record = statistics.record()
    frames = [len(said.frame) for said in conversation()]
    decoder = record["stats"]["decoder"]
    assert (decoder["pkts"], decoder["bytes"], decoder["max_pkt_size"]) == (len(frames), sum(frames), max(frames))
    assert (decoder["vlan"], decoder["vlan_qinq"], decoder["gre"], decoder["icmpv6"]) == (4, 1, 1, 1)
    assert record["stats"]["ips"] == {
        "accepted": len(frames) - 9,
        "blocked": 7,
        "rejected": 2,
        "drop_reason": {
            "decode_error": 0, "defrag_error": 0, "defrag_memcap": 0, "flow_drop": 2, "flow_memcap": 0, "rules": 7,
            "stream_error": 0, "stream_midstream": 0,
        },
    }  # fmt: skip
    assert record["stats"]["detect"] == {"alert": 13}


def test_time_is_the_capture_s():
    statistics = Statistics()
    for seconds in (5, 0, 3):
        statistics.add(batch([decision(timestamp=START + seconds * 10**9)], [tcp_record()]))
    record = statistics.record()
    assert (record["timestamp"], record["stats"]["uptime"]) == ("2026-01-01T00:00:05.123456+0000", 5)


def test_a_run_without_packets():
    record = Statistics().record()
    assert record["timestamp"] == "1970-01-01T00:00:00.000000+0000"
    assert record["stats"]["decoder"]["avg_pkt_size"] == 0


def test_malformed_packets_fragments_and_reused_tuples():
    statistics = Statistics()
    made = batch(
        [decision(1, verdict=1, reason=Reason.BAD_IP_VERSION), decision(2), decision(3, reason=Reason.NOT_IP)],
        [{"marks": MARK_IP}, tcp_record(marks=MARK_IP | MARK_FRAGMENT), {}],
        flows=[{"proto": 6, "end_reason": END_REPLACED, "state": 8}],
    )
    statistics.add(made)
    statistics.add(batch([decision(4)], [tcp_record(version=6, marks=MARK_IP | MARK_REASSEMBLED)]))
    stats = statistics.record()["stats"]
    assert stats["decoder"]["invalid"] == 1
    assert stats["ips"]["drop_reason"]["decode_error"] == 1
    assert stats["defrag"] == {"ipv4": {"fragments": 1, "reassembled": 0}, "ipv6": {"fragments": 0, "reassembled": 1}}
    assert (stats["flow"]["tcp_reuse"], stats["flow"]["end"]["state"]["closed"]) == (1, 1)


def test_connections_that_end_after_the_last_packet_are_counted():
    statistics = Statistics()
    statistics.add(batch([], [], flows=[{"proto": 17}, {"proto": 47}]))
    flow = statistics.record()["stats"]["flow"]
    assert (flow["total"], flow["udp"], flow["end"]["state"]["new"]) == (2, 1, 2)
