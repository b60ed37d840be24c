from __future__ import annotations

from ipaddress import ip_address

import pytest

from twinwall.cli.connection_rows import HEADINGS, Seen, cells, data, lines, sentence, short
from twinwall.enforce.source import Kind, Source
from twinwall.live.connection import ConntrackEntry, Counters, FiveTuple, Status
from twinwall.render.marks import CT_GENERATION_SHIFT, CT_PASS

SECOND = 1_000_000_000
RULE = Source(Kind.RULES, (("r.rules", "pass tcp any any -> any any (sid:100;)\n"),)).policy().stateful.rules[0]


def tuple_(source, sport, destination, dport, protocol=6):
    return FiveTuple(ip_address(source).packed, ip_address(destination).packed, protocol, sport, dport)


WEB = ConntrackEntry(
    tuple_("10.0.0.1", 40000, "203.0.113.1", 443),
    tuple_("10.0.0.80", 8443, "198.51.100.1", 61000),
    Status.SEEN_REPLY | Status.ASSURED | Status.SOURCE_NAT | Status.DESTINATION_NAT,
    "ESTABLISHED",
    timeout=300,
    mark=2 << CT_GENERATION_SHIFT | CT_PASS | 1,
    original_counters=Counters(10, 2_000),
    reply_counters=Counters(20, 30_000),
    start=5 * SECOND,
)
QUIET = ConntrackEntry(tuple_("10.0.0.2", 9, "192.0.2.7", 8 << 8, 1), tuple_("192.0.2.7", 9, "10.0.0.2", 0, 1), Status(0))


def test_a_row_of_everything_that_is_known():
    row = dict(zip(HEADINGS, cells(Seen(WEB, RULE), 65 * SECOND), strict=True))
    assert row == {
        "protocol": "tcp", "client": "10.0.0.1:40000", "server": "10.0.0.80:8443", "state": "ESTABLISHED", "verdict": "pass",
        "sid": "100", "packets": "30", "bytes": "32k", "age": "1m", "timeout": "300s",
    }  # fmt: skip


def test_a_row_of_little_has_dashes():
    assert cells(Seen(QUIET, None), 0) == ("icmp", "10.0.0.2", "192.0.2.7", "unreplied", *["-"] * 6)


def test_columns_stand_under_their_headings():
    head, web, quiet = lines([cells(Seen(WEB, RULE), 65 * SECOND), cells(Seen(QUIET, None), 0)])
    assert web.index("10.0.0.80") == quiet.index("192.0.2.7") == head.index("server")
    assert web.index("30 ") + 2 == head.index("packets") + len("packets")


def test_a_sentence_is_in_the_packet_language():
    assert sentence(Seen(WEB, RULE)) == "tcp 10.0.0.1:40000 > 10.0.0.80:8443 ESTABLISHED pass sid 100"
    assert sentence(Seen(QUIET, None)) == "icmp 10.0.0.2 > 192.0.2.7 unreplied"


def test_json_tells_the_translation_and_null_for_what_is_not_known():
    known, unknown = data(Seen(WEB, RULE)), data(Seen(QUIET, None))
    assert known["nat"] == {"client": "198.51.100.1:61000", "server": "203.0.113.1:443"}
    assert known["to_client"] == {"packets": 20, "bytes": 30_000}
    assert (known["sid"], known["generation"], known["verdict"], known["start"]) == (100, 2, "pass", 5.0)
    assert [name for name, value in unknown.items() if value is None] == [
        "state", "nat", "verdict", "sid", "generation", "to_server", "to_client", "start", "timeout",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0"), (9_999, "9999"), (10_000, "10k"), (123_456_789, "123M"), (5 * 10**17, "500000T")]
)
def test_large_numbers_are_short(number, text):
    assert short(number) == text
