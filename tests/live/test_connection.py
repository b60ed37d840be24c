"""A connection's message, decoded; what its mark says."""

from __future__ import annotations

import pytest

from twinwall.conntrack.protocols.tcp import TcpState
from twinwall.live.connection import Attribute, ConntrackEntry, Counters, FiveTuple, Status, decode_entry, decode_tuple
from twinwall.live.netlink import attribute, nested
from twinwall.render.marks import CT_DROP, CT_FAST_REPLY, CT_GENERATION_SHIFT, CT_PASS

CLIENT, SERVER, TRANSLATED = bytes([10, 0, 0, 5]), bytes([198, 51, 100, 7]), bytes([203, 0, 113, 1])
SENT = FiveTuple(CLIENT, SERVER, 6, 40000, 443)
OURS = 2 << CT_GENERATION_SHIFT


@pytest.mark.parametrize(
    "ends",
    [
        SENT,
        FiveTuple(bytes(15) + b"\1", bytes(15) + b"\2", 17, 53, 5353),
        FiveTuple(CLIENT, SERVER, 1, 77, 8 << 8),
        FiveTuple(bytes(15) + b"\1", bytes(15) + b"\2", 58, 77, 128 << 8 | 3),
        FiveTuple(CLIENT, SERVER, 50),
    ],
)
def test_ends_come_back_as_they_were_sent(ends: FiveTuple):
    assert decode_tuple(ends.encode()) == ends


def test_a_message_is_decoded_whole():
    message = bytes(4) + b"".join((
        nested(Attribute.ORIGINAL, SENT.encode()),
        nested(Attribute.REPLY, FiveTuple(SERVER, TRANSLATED, 6, 443, 50000).encode()),
        attribute(Attribute.STATUS, (Status.SEEN_REPLY | Status.SOURCE_NAT).to_bytes(4)),
        nested(Attribute.PROTOCOL_INFO, nested(1, attribute(1, bytes([TcpState.ESTABLISHED])))),
        attribute(Attribute.TIMEOUT, (300).to_bytes(4)),
        attribute(Attribute.MARK, (OURS | CT_PASS | 9).to_bytes(4)),
        nested(Attribute.ORIGINAL_COUNTERS, attribute(1, (3).to_bytes(8)), attribute(2, (180).to_bytes(8))),
    ))  # fmt: skip
    found = decode_entry(message)
    assert found is not None
    assert (found.state, found.timeout, found.original_counters) == ("ESTABLISHED", 300, Counters(3, 180))
    assert (found.generation, found.rule_number, found.verdict, found.translated) == (2, 9, "pass", True)
    assert found.seen == SENT
    assert found.reply_counters is None


def test_a_message_says_which_zone_when_and_which_of_several():
    in_a_zone = SENT.encode() + attribute(3, (7).to_bytes(2))
    found = decode_entry(bytes(4) + b"".join((
        nested(Attribute.ORIGINAL, in_a_zone),
        nested(Attribute.REPLY, SENT.reversed().encode()),
        attribute(Attribute.ID, (99).to_bytes(4)),
        attribute(Attribute.ZONE, (5).to_bytes(2)),
        nested(Attribute.TIMESTAMP, attribute(1, (1000).to_bytes(8)), attribute(2, (2000).to_bytes(8))),
    )))  # fmt: skip
    assert found is not None
    assert (found.ident, found.zone, found.original_zone, found.start, found.stop) == (99, 5, 7, 1000, 2000)
    assert not found.translated


@pytest.mark.parametrize(("number", "name"), [(int(TcpState.ESTABLISHED), "ESTABLISHED"), (200, "200")])
def test_a_state_that_has_no_name_is_its_number(number: int, name: str):
    found = decode_entry(bytes(4) + b"".join((
        nested(Attribute.ORIGINAL, SENT.encode()),
        nested(Attribute.REPLY, SENT.reversed().encode()),
        nested(Attribute.PROTOCOL_INFO, nested(1, attribute(1, bytes([number])))),
    )))  # fmt: skip
    assert found is not None
    assert str(found) == f"tcp 10.0.0.5:40000 > 198.51.100.7:443 {name}"


def test_rules_see_the_destination_behind_its_translation():
    entry = ConntrackEntry(SENT, FiveTuple(TRANSLATED, CLIENT, 6, 8443, 40000), Status.DESTINATION_NAT)
    assert entry.seen == FiveTuple(CLIENT, TRANSLATED, 6, 40000, 8443)
    assert entry.translated


def test_of_icmp_the_identifier_and_type_stay_where_they_are():
    ping = FiveTuple(CLIENT, SERVER, 1, 77, 8 << 8)
    answer = FiveTuple(SERVER, CLIENT, 1, 77, 0)
    assert ping.reversed() == FiveTuple(SERVER, CLIENT, 1, 77, 8 << 8)
    entry = ConntrackEntry(ping, answer, Status(0))
    assert entry.seen == ping
    assert str(entry) == "icmp 10.0.0.5 > 198.51.100.7"


def test_a_mark_that_no_policy_of_ours_wrote_names_no_rule():
    assert ConntrackEntry(SENT, SENT.reversed(), Status(0), mark=9).rule_number == 0


def test_a_message_without_both_directions_names_no_connection():
    assert decode_entry(bytes(4) + nested(Attribute.ORIGINAL, SENT.encode())) is None


@pytest.mark.parametrize(
    ("mark", "verdict", "passing"),
    [
        (OURS | CT_PASS, "pass", True),
        (OURS | CT_DROP, "drop", False),
        (OURS | CT_FAST_REPLY, "", True),
        (OURS, "", False),
        (CT_PASS, "", False),  # of no policy of ours
    ],
)
def test_what_a_mark_says_of_the_flow(mark: int, verdict: str, passing: bool):
    entry = ConntrackEntry(SENT, SENT.reversed(), Status(0), mark=mark)
    assert (entry.verdict, entry.passing) == (verdict, passing)
