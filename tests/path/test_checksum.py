"""Checksums of packets built by hand: right ones pass, any changed byte shows, and what cannot be checked is not blamed."""

from __future__ import annotations

import struct
from ipaddress import ip_address

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinwall.path import checksum
from twinwall.path.layout import (
    IPOPT_LSRR,
    MARK_FRAGMENT,
    MARK_IP,
    MARK_SNAPPED,
    MARK_TRANSPORT,
    RECORD,
    SCTP,
    TCP,
    UDP,
    UDPLITE,
)
from twinwall.path.primitives import Pointer
from twinwall.path.reason import Reason

LINK = 4
RIGHT = 0
V4 = ("192.0.2.1", "198.51.100.255")
V6 = ("2001:db8::ffff:1", "2001:db8:ffff::2")
WHERE = {TCP: 16, UDP: 6, UDPLITE: 6, 1: 2, 58: 2}  # offset of the checksum in the transport header


def ones_complement(data: bytes) -> int:
    """RFC 1071 as the residue of one big number: 65535 divides every power of 65536 less one."""
    data += b"\0" * (len(data) % 2)
    number = int.from_bytes(data, "big")
    return 0xFFFF - (number % 0xFFFF or (0xFFFF if number else 0))


def pseudo_header(addresses, protocol: int, length: int) -> bytes:
    packed = b"".join(ip_address(address).packed for address in addresses)
    return packed + (
        struct.pack("!BBH", 0, protocol, length) if len(packed) == 8 else struct.pack("!IHBB", length, 0, 0, protocol)
    )


def sealed(segment: bytes, addresses, protocol: int, covered: int | None = None) -> bytes:
    """The segment with its checksum."""
    at = WHERE[protocol]
    segment = segment[:at] + b"\0\0" + segment[at + 2 :]
    before = b"" if protocol == 1 else pseudo_header(addresses, protocol, len(segment))
    value = ones_complement(before + segment[:covered])
    return segment[:at] + struct.pack("!H", value or 0xFFFF) + segment[at + 2 :]


def packet_of(segment: bytes, addresses, protocol: int, options: bytes = b"") -> bytes:
    source, destination = (ip_address(address).packed for address in addresses)
    if len(source) == 16:
        return struct.pack("!IHBB", 6 << 28, len(segment), protocol, 64) + source + destination + segment
    length = 20 + len(options)
    header = struct.pack("!BBHIBBH", 0x40 | length // 4, 0, length + len(segment), 7 << 16, 64, protocol, 0)
    header += source + destination + options
    return header[:10] + struct.pack("!H", ones_complement(header)) + header[12:] + segment


def verify(
    packet: bytes, *, protocol: int, marks: int = 0, ipopts: int = 0, frag: int = 0, captured: int | None = None, l4: int = 0
):
    """The verdict on one packet, decoded as far as checksums need it."""
    record = np.zeros(1, dtype=RECORD)
    version = packet[0] >> 4
    header = 40 if version == 6 else (packet[0] & 15) * 4
    record["version"], record["proto"], record["l3"], record["l4"] = version, protocol, LINK, LINK + (l4 or header)
    record["marks"], record["ipopts"], record["frag"] = MARK_IP | MARK_TRANSPORT | marks, ipopts, frag
    record["ip_length"] = len(packet)
    source, destination = (packet[8:24], packet[24:40]) if version == 6 else (packet[12:16], packet[16:20])
    for name, address in (("src", source), ("dst", destination)):
        number = int.from_bytes(address, "big")
        record[f"{name}_hi"], record[f"{name}_lo"] = number >> 64, number & 0xFFFFFFFFFFFFFFFF
    frame = b"\xee" * LINK + packet[:captured]
    start = Pointer(frame)
    return checksum.verify(start, start + len(frame), Pointer(record.view(np.uint64).data.cast("B")))


def segment_of(protocol: int, data: bytes) -> bytes:
    """A transport header with `data` behind it, its checksum still open."""
    if protocol == TCP:
        return struct.pack("!HHIIBBHHH", 443, 50_000, 1, 2, 0x50, 0x18, 512, 0, 0) + data
    if protocol in (UDP, UDPLITE):
        return struct.pack("!HHHH", 53, 50_000, 8 + len(data), 0) + data
    return struct.pack("!BBHHH", 128, 0, 0, 9, 1) + data


CASES = [(V4, TCP), (V4, UDP), (V4, UDPLITE), (V4, 1), (V6, TCP), (V6, UDP), (V6, UDPLITE), (V6, 58)]


@pytest.mark.parametrize(("addresses", "protocol"), CASES)
@pytest.mark.parametrize("length", [0, 1, 2, 3, 5, 64])
def test_a_right_checksum_is_right(addresses, protocol, length):
    segment = sealed(segment_of(protocol, bytes(range(100, 100 + length))), addresses, protocol)
    assert verify(packet_of(segment, addresses, protocol), protocol=protocol) == RIGHT


@pytest.mark.parametrize(("addresses", "protocol"), CASES)
@given(data=st.binary(max_size=40), bit=st.integers(min_value=0))
def test_any_changed_bit_of_the_segment_shows(addresses, protocol, data, bit):
    segment = bytearray(sealed(segment_of(protocol, data), addresses, protocol))
    at = bit // 8 % len(segment)
    segment[at] ^= 1 << bit % 8
    if protocol in (UDP, UDPLITE) and at in (6, 7) and segment[6:8] == b"\0\0":
        return  # "no checksum", a case of its own
    assert verify(packet_of(bytes(segment), addresses, protocol), protocol=protocol) == Reason.BAD_TRANSPORT_CHECKSUM


@given(bit=st.integers(min_value=0, max_value=20 * 8 - 1))
def test_any_changed_bit_of_the_ipv4_header_shows(bit):
    packet = bytearray(packet_of(b"", V4, 253))
    packet[bit // 8] ^= 1 << bit % 8
    if packet[0] != 0x45:
        return  # another version or length: the decoder's business
    assert verify(bytes(packet), protocol=253) == Reason.BAD_IP_CHECKSUM


def test_ipv4_options_are_covered():
    packet = bytearray(packet_of(b"", V4, 253, options=b"\x94\x04\0\0"))
    assert verify(bytes(packet), protocol=253) == RIGHT
    packet[23] = 1
    assert verify(bytes(packet), protocol=253) == Reason.BAD_IP_CHECKSUM


def test_udp_without_checksum_is_right_over_ipv4_and_wrong_over_ipv6():
    segment = segment_of(UDP, b"data")
    assert verify(packet_of(segment, V4, UDP), protocol=UDP) == RIGHT
    assert verify(packet_of(segment, V6, UDP), protocol=UDP) == Reason.BAD_TRANSPORT_CHECKSUM


def test_udp_counts_as_far_as_its_own_length():
    segment = sealed(segment_of(UDP, b"data"), V4, UDP) + b"padding behind"
    assert verify(packet_of(segment, V4, UDP), protocol=UDP) == RIGHT


@pytest.mark.parametrize(("coverage", "reason"), [(8, RIGHT), (10, RIGHT), (7, 24), (13, 24)])
def test_udplite_counts_as_far_as_it_says(coverage, reason):
    segment = struct.pack("!HHHH", 53, 50_000, coverage, 0) + b"data"
    segment = sealed(segment, V4, UDPLITE, covered=coverage)
    changed = segment[:-1] + b"X"  # outside what is covered
    assert verify(packet_of(changed, V4, UDPLITE), protocol=UDPLITE) == reason


def test_udplite_must_have_a_checksum():
    assert verify(packet_of(segment_of(UDPLITE, b""), V4, UDPLITE), protocol=UDPLITE) == Reason.BAD_TRANSPORT_CHECKSUM


def test_sctp_has_crc32c():
    # RFC 3720 B.4: 32 bytes of zero have the CRC 0x8a9136aa.
    zeros = bytes(32)
    assert checksum.sctp_crc(Pointer(zeros), 32) == 0x8A9136AA
    packet = zeros[:8] + struct.pack("<I", 0x8A9136AA) + zeros[12:]
    assert verify(packet_of(packet, V4, SCTP), protocol=SCTP) == RIGHT
    assert verify(packet_of(packet[:-1] + b"\1", V4, SCTP), protocol=SCTP) == Reason.BAD_TRANSPORT_CHECKSUM


WRONG = packet_of(segment_of(TCP, b"data"), V4, TCP)


def test_what_cannot_be_checked_is_not_blamed():
    assert verify(WRONG, protocol=TCP) == Reason.BAD_TRANSPORT_CHECKSUM
    assert verify(WRONG, protocol=TCP, marks=MARK_SNAPPED) == RIGHT
    assert verify(WRONG, protocol=TCP, captured=len(WRONG) - 1) == RIGHT
    assert verify(WRONG, protocol=TCP, marks=MARK_FRAGMENT, frag=0x2000) == RIGHT
    assert verify(WRONG, protocol=TCP, ipopts=IPOPT_LSRR) == RIGHT
    assert verify(WRONG, protocol=50) == RIGHT


def test_an_atomic_fragment_is_whole_and_checked():
    assert verify(WRONG, protocol=TCP, marks=MARK_FRAGMENT) == Reason.BAD_TRANSPORT_CHECKSUM


@pytest.mark.parametrize(("left", "reason"), [(1, RIGHT), (0, Reason.BAD_TRANSPORT_CHECKSUM)])
def test_a_packet_with_segments_left_to_visit_has_another_destination_in_its_pseudo_header(left, reason):
    options = b"\x2b\0\x01\x04\0\0\0\0"
    routing = bytes([TCP, 0, 0, left, 0, 0, 0, 0])
    packet = packet_of(options + routing + segment_of(TCP, b""), V6, 60)
    assert verify(packet, protocol=TCP, l4=56) == reason


def test_frames_without_ip_are_not_looked_at():
    record = np.zeros(16, dtype=np.uint64)
    frame = Pointer(b"")
    assert checksum.verify(frame, frame, Pointer(record.data.cast("B"))) == RIGHT


@pytest.mark.parametrize("captured", [0, 19, 23])
def test_an_ipv4_header_that_the_capture_cut_is_not_blamed(captured):
    packet = packet_of(b"", V4, 253, options=b"\x94\x04\0\x07")  # its checksum is right, but not without its options
    assert verify(packet, protocol=253, captured=captured) == RIGHT


@pytest.mark.parametrize("claimed", [7, 13])
def test_a_udp_length_that_does_not_fit_is_wrong(claimed):
    segment = struct.pack("!HHHH", 53, 50_000, claimed, 1) + b"data"
    assert verify(packet_of(segment, V4, UDP), protocol=UDP) == Reason.BAD_TRANSPORT_CHECKSUM


def test_a_transport_header_outside_the_packet_is_not_read():
    assert verify(WRONG, protocol=TCP, l4=len(WRONG) + 1) == RIGHT


def test_the_search_for_a_routing_header_ends():
    options = b"\x3c\0\x01\x04\0\0\0\0" * 17
    packet = packet_of(options + segment_of(TCP, b""), V6, 60)
    assert verify(packet, protocol=TCP, l4=40 + len(options)) == Reason.BAD_TRANSPORT_CHECKSUM
