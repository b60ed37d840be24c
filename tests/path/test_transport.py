"""Transport headers: their fields, the smallest that is whole, and of every flaw the nearest header that has not got it."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.packets import icmp, ipv4, ipv6, tcp, udp
from tests.path.decoding import decoded
from twinwall.path.layout import (
    GRE,
    ICMP,
    ICMP6,
    INNER_6IN4,
    INNER_GRE,
    INNER_IPIP,
    INNER_NONE,
    INNER_QUOTE,
    IP6IN4,
    IPIP,
    MARK_IP,
    MARK_PORTS,
    MARK_QUOTE,
    MARK_TRANSPORT,
    SCTP,
    TCP,
    UDP,
    UDPLITE,
)
from twinwall.path.reason import Reason

BAD_LENGTH = Reason.BAD_UDP_LENGTH
BOTH = pytest.mark.parametrize(("carry", "at"), [(ipv4, 20), (ipv6, 40)], ids=["v4", "v6"])
HEADER_BYTES = {TCP: 20, UDP: 8, UDPLITE: 8, ICMP: 8, ICMP6: 8, SCTP: 12, GRE: 4}
SMALLEST = {
    TCP: tcp(1, 2, 2),
    UDP: udp(1, 2),
    UDPLITE: udp(1, 2),
    ICMP: icmp(8, 0),
    ICMP6: icmp(128, 0),
    SCTP: struct.pack(">HHII", 1, 2, 3, 0),
    GRE: struct.pack(">HH", 0, 0x6558),
}


@BOTH
@pytest.mark.parametrize("protocol", SMALLEST)
def test_the_smallest_header_is_whole_and_one_byte_less_is_not(carry, at, protocol):
    header = SMALLEST[protocol]
    assert len(header) == HEADER_BYTES[protocol]
    found = decoded(carry(header, protocol))
    ports = MARK_PORTS if protocol in (TCP, UDP, UDPLITE, SCTP) else 0
    assert (found.reason, found["marks"]) == (0, MARK_IP | MARK_TRANSPORT | ports)
    assert (found["l4"], found["payload"], found["payload_length"]) == (at, at + len(header), 0)
    for size in (0, len(header) - 1):
        cut = decoded(carry(header[:size], protocol))
        assert (cut.reason, cut["marks"], cut["sport"]) == (Reason.TRUNCATED_TRANSPORT, MARK_IP, 0)


@pytest.mark.parametrize("protocol", SMALLEST)
def test_a_header_ends_with_the_packet_not_with_the_frame(protocol):
    padded = ipv4(SMALLEST[protocol][:-1], protocol) + bytes(20)
    assert decoded(padded).reason == Reason.TRUNCATED_TRANSPORT


@pytest.mark.parametrize("protocol", SMALLEST)
def test_a_header_that_the_capture_cut_is_not_the_packet_s_flaw(protocol):
    packet = ipv4(SMALLEST[protocol], protocol)
    assert decoded(packet[:-1], wire_length=len(packet)).reason == Reason.SNAPPED


@BOTH
def test_the_fields_of_a_tcp_header(carry, at):
    segment = struct.pack(">HHIIBBHHH", 0xABCD, 0x1234, 0xDEADBEEF, 0xCAFEF00D, 0x8B, 0xD2, 0xFEDC, 1, 2) + bytes(12) + b"data"
    found = decoded(carry(segment, TCP))
    assert (found["sport"], found["dport"], found["seq"], found["ack"]) == (0xABCD, 0x1234, 0xDEADBEEF, 0xCAFEF00D)
    assert (found["tcp_flags"], found["tcp_reserved"], found["window"]) == (0xD2, 0x0B, 0xFEDC)
    assert (found["payload"], found["payload_length"]) == (at + 32, 4)


@pytest.mark.parametrize(
    ("words", "reason"),
    [(0, Reason.BAD_TCP_HEADER_LENGTH), (4, Reason.BAD_TCP_HEADER_LENGTH), (5, 0), (7, 0), (8, Reason.BAD_TCP_HEADER_LENGTH)],
)
def test_the_tcp_header_lies_within_the_packet(words, reason):
    segment = bytearray(tcp(1, 2, 16) + bytes(8))
    segment[12] = words << 4
    found = decoded(ipv4(bytes(segment), TCP))
    assert found.reason == reason
    if reason == 0:
        assert found["payload_length"] == 28 - 4 * words


@pytest.mark.parametrize(
    ("claimed", "reason", "length"),
    [(0, BAD_LENGTH, 13), (7, BAD_LENGTH, 13), (8, 0, 0), (10, 0, 2), (13, 0, 5), (14, BAD_LENGTH, 5)],
)
def test_the_udp_length_decides_where_the_payload_ends(claimed, reason, length):
    datagram = struct.pack(">HHHH", 53, 5353, claimed, 0) + b"hello"
    found = decoded(ipv4(datagram, UDP))
    assert (found.reason, found["payload_length"]) == (reason, length)


def test_the_first_piece_of_a_udp_datagram_has_its_ports():
    """The length field is the whole datagram's: more than the piece has."""
    found = decoded(ipv4(struct.pack(">HHHH", 53, 5353, 1000, 0) + b"hello...", UDP, frag=0x2000))
    assert (found.reason, found["sport"], found["dport"], found["payload_length"]) == (0, 53, 5353, 8)
    assert found["marks"] & MARK_PORTS


@pytest.mark.parametrize(("coverage", "reason"), [(0, 0), (7, BAD_LENGTH), (8, 0), (13, 0), (14, BAD_LENGTH)])
def test_udplite_covers_some_bytes_and_carries_all(coverage, reason):
    datagram = struct.pack(">HHHH", 53, 5353, coverage, 0) + b"hello"
    found = decoded(ipv4(datagram, UDPLITE))
    assert found.reason == reason
    if reason == 0:
        assert (found["dport"], found["payload_length"]) == (5353, 5)


@BOTH
@pytest.mark.parametrize("protocol", [ICMP, ICMP6])
def test_the_fields_of_an_icmp_header(carry, at, protocol):
    found = decoded(carry(icmp(200, 7, 0xBEEF, 0xCAFE, b"abc"), protocol))
    assert (found["icmp_type"], found["icmp_code"]) == (200, 7)
    assert (found["icmp_id"], found["icmp_seq"], found["payload"], found["payload_length"]) == (0xBEEF, 0xCAFE, at + 8, 3)


@pytest.mark.parametrize(
    ("carry", "protocol", "errors"), [(ipv4, ICMP, {3, 4, 5, 11, 12}), (ipv6, ICMP6, set(range(1, 128)))], ids=["v4", "v6"]
)
def test_which_icmp_messages_quote_a_packet(carry, protocol, errors):
    at = len(carry(b"", protocol)) + 8
    for kind in range(256):
        found = decoded(carry(icmp(kind, 0), protocol))
        quotes = (bool(found["marks"] & MARK_QUOTE), found["inner"], found["inner_kind"])
        assert quotes == ((True, at, INNER_QUOTE) if kind in errors else (False, 0, INNER_NONE)), kind


def test_the_fields_of_an_sctp_header():
    found = decoded(ipv4(struct.pack(">HHII", 1, 65535, 0xDEADBEEF, 9) + bytes(4), SCTP))
    assert (found["sport"], found["dport"], found["vtag"], found["payload_length"]) == (1, 65535, 0xDEADBEEF, 4)


# Tunnels.


@BOTH
@pytest.mark.parametrize(("protocol", "kind"), [(IPIP, INNER_IPIP), (IP6IN4, INNER_6IN4)])
def test_a_tunnel_tells_where_the_inner_packet_starts(carry, at, protocol, kind):
    found = decoded(carry(ipv4(udp(5, 6), UDP), protocol))
    assert (found["inner"], found["inner_kind"], found["proto"], found["sport"]) == (at, kind, protocol, 0)
    assert found["payload_length"] == 28


CHECKSUM, KEY, SEQUENCE = 0x8000, 0x2000, 0x1000


@BOTH
@pytest.mark.parametrize(
    ("flags", "size"),
    [
        (0, 4),
        (CHECKSUM, 8),
        (KEY, 8),
        (SEQUENCE, 8),
        (KEY | SEQUENCE, 12),
        (CHECKSUM | KEY | SEQUENCE, 16),
        (0x4000, 4),
        (1, 4),
    ],
)
def test_optional_fields_move_what_gre_carries(carry, at, flags, size):
    fields = b""
    for bit, content in ((CHECKSUM, b"\xcc" * 4), (KEY, b"\xde\xad\xbe\xef"), (SEQUENCE, b"\x55" * 4)):
        fields += content if flags & bit else b""
    packet = carry(struct.pack(">HH", flags, 0x0800) + fields + ipv4(b"", 253), GRE)
    found = decoded(packet)
    assert (found["inner"], found["inner_kind"], found["payload"]) == (at + size, INNER_GRE, at + size)
    assert found["vtag"] == (0xDEADBEEF if flags & KEY else 0)
    assert found["payload_length"] == 20
    whole = struct.pack(">HH", flags, 0x0800) + fields
    assert decoded(carry(whole, GRE)).reason == 0
    assert decoded(carry(whole[:-1], GRE)).reason == Reason.TRUNCATED_TRANSPORT


@pytest.mark.parametrize(
    ("carried", "kind"), [(0x0800, INNER_GRE), (0x86DD, INNER_GRE), (0x6558, INNER_NONE), (0x880B, INNER_NONE)]
)
def test_gre_carries_more_than_ip(carried, kind):
    assert decoded(ipv4(struct.pack(">HH", 0, carried) + bytes(40), GRE))["inner_kind"] == kind


@BOTH
@pytest.mark.parametrize("protocol", [0x32, 2, 89, 103, 112, 254, 255])
def test_other_protocols_have_no_header_that_a_rule_can_ask_for(carry, at, protocol):
    found = decoded(carry(b"\xff" * 3, protocol))
    assert (found.reason, found["marks"], found["payload"], found["payload_length"]) == (0, MARK_IP | MARK_TRANSPORT, at, 3)
    assert (found["sport"], found["tcp_flags"], found["icmp_type"], found["inner"]) == (0, 0, 0, 0)


@settings(deadline=None)
@given(st.sampled_from([*SMALLEST, IPIP, IP6IN4]), st.binary(max_size=80), st.integers(0, 3), st.sampled_from([ipv4, ipv6]))
def test_no_bytes_lead_outside_of_the_packet(protocol, body, cut, carry):
    packet = carry(body, protocol)
    found = decoded(packet[: len(packet) - cut], wire_length=len(packet))
    assert found.reason in (0, *Reason)
    if found.reason == 0:
        assert found["l4"] <= found["payload"] <= found["payload"] + found["payload_length"] <= len(packet)
