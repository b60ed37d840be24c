"""IPv4 options and SCTP chunks as the bits that rules ask for, well-formed and not."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.packets import ipv4, ipv6, udp
from twinwall.path.decode import decode
from twinwall.path.details import CHUNKS, details
from twinwall.path.layout import (
    IPOPT_EOL,
    IPOPT_ESEC,
    IPOPT_LSRR,
    IPOPT_NOP,
    IPOPT_OTHER,
    IPOPT_RR,
    IPOPT_SATID,
    IPOPT_SEC,
    IPOPT_SSRR,
    IPOPT_TS,
    LINK_RAW,
    RECORD,
    RECORD_BYTES,
    SCTP,
    UDP,
)
from twinwall.path.primitives import Pointer


def detailed(packet: bytes, wire_length: int | None = None) -> np.void:
    """The record of a packet after `decode` and `details`."""
    memory = bytearray(RECORD_BYTES)
    start = Pointer(packet)
    end = start + len(packet)
    decode(start, end, LINK_RAW, len(packet) if wire_length is None else wire_length, Pointer(memory))
    details(start, end, Pointer(memory))
    return np.frombuffer(memory, RECORD)[0]


def options(content: bytes) -> int:
    """The bits of an IPv4 packet with these options, padded to whole words with what no option is."""
    return int(detailed(ipv4(udp(1, 2), UDP, options=content))["ipopts"])


KNOWN = {
    7: IPOPT_RR,
    68: IPOPT_TS,
    130: IPOPT_SEC,
    133: IPOPT_ESEC,
    131: IPOPT_LSRR,
    137: IPOPT_SSRR,
    136: IPOPT_SATID,
}


@pytest.mark.parametrize("kind", range(2, 256))
def test_each_option_has_its_bit_and_the_rest_share_one(kind):
    assert options(bytes([kind, 4, 0, 0])) == KNOWN.get(kind, IPOPT_OTHER)


@pytest.mark.parametrize(
    ("content", "bits"),
    [
        (b"", 0),
        (b"\x01\x01\x01\x01", IPOPT_NOP),
        (b"\x01\x01\x01\x00", IPOPT_NOP | IPOPT_EOL),
        (b"\x00\x07\x04\x00", IPOPT_EOL),  # nothing counts behind the end of the list
        (b"\x07\x03\x04\x44\x04\x05\x00\x00", IPOPT_RR | IPOPT_TS | IPOPT_EOL),
        (b"\x07\x08" + bytes(6) + b"\x83\x04\x00\x00", IPOPT_RR | IPOPT_LSRR),
        (b"\x07\x00\x83\x04", IPOPT_RR),  # a length below 2 ends the reading
        (b"\x07\x01\x83\x04", IPOPT_RR),
        (b"\x07\x02\x89\x02", IPOPT_RR | IPOPT_SSRR),
        (b"\x01\x01\x01\x83", IPOPT_NOP | IPOPT_LSRR),  # the length would stand beyond the header
        (b"\x83\xff\x07\x02", IPOPT_LSRR),
    ],
)
def test_lists_of_options(content, bits):
    assert options(content) == bits


def test_options_that_the_capture_cut_are_not_seen():
    packet = ipv4(b"", 253, options=b"\x83\x04\x00\x00")
    assert detailed(packet)["ipopts"] == IPOPT_LSRR
    assert detailed(packet[:20], len(packet))["ipopts"] == 0


def test_ipv6_has_no_options_of_this_kind():
    assert detailed(ipv6(b"\x07\x04\x00\x00" * 3, 253))["ipopts"] == 0


def test_the_other_marks_stay():
    assert detailed(ipv4(udp(1, 2), UDP, options=b"\x83\x04\x00\x00"))["marks"] == detailed(ipv4(udp(1, 2), UDP))["marks"]


def chunk(kind: int, body: bytes = b"", length: int | None = None) -> bytes:
    return struct.pack(">BBH", kind, 0, 4 + len(body) if length is None else length) + body + bytes(-len(body) % 4)


def sctp(*chunks: bytes) -> bytes:
    return struct.pack(">HHII", 1, 2, 0xABCD, 0) + b"".join(chunks)


@pytest.mark.parametrize("carry", [ipv4, ipv6])
@pytest.mark.parametrize(
    ("chunks", "types"),
    [
        ([], set()),
        ([chunk(1, bytes(16))], {1}),
        ([chunk(0, b"abcde"), chunk(3, bytes(12)), chunk(0)], {0, 3}),
        ([chunk(30), chunk(31), chunk(255)], {30, 31}),  # bit 31: any type above 30
        ([chunk(2, length=0), chunk(5)], {2}),  # no chunk is empty: the reading ends
        ([chunk(2, length=3), chunk(5)], {2, 5}),  # lengths are rounded up to 4, as in Linux
        ([chunk(2, length=400), chunk(5)], {2}),
        ([chunk(10)[:3]], set()),
        ([chunk(10, b"ab")[:6], chunk(5)], {10}),  # the padding is missing
    ],
)
def test_chunks_of_a_packet(carry, chunks, types):
    found = detailed(carry(sctp(*chunks), SCTP))
    assert {bit for bit in range(32) if int(found["chunks"]) >> bit & 1} == types
    assert found["vtag"] == 0xABCD


def test_only_so_many_chunks_are_looked_at():
    assert detailed(ipv4(sctp(*[chunk(3)] * (CHUNKS - 1), chunk(6)), SCTP))["chunks"] == 1 << 3 | 1 << 6
    assert detailed(ipv4(sctp(*[chunk(3)] * CHUNKS, chunk(6)), SCTP))["chunks"] == 1 << 3


def test_a_later_fragment_has_no_chunks():
    assert detailed(ipv4(sctp(chunk(1)), SCTP, frag=5))["chunks"] == 0


@given(st.binary(max_size=40), st.binary(max_size=60), st.integers(0, 90))
def test_no_bytes_lead_outside_of_the_packet(content, chunks, cut):
    packet = ipv4(sctp(chunks), SCTP, options=content[: len(content) // 4 * 4])
    found = detailed(packet[: max(len(packet) - cut, 1)], len(packet))
    assert found["wire_length"] == len(packet)
