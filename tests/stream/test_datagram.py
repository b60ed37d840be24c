"""What comes out decodes again, by the ordinary decoder, as the packet that was cut."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from tests.stream.dialogue import Dialogue, Piece
from twinwall.path.decode import decode
from twinwall.path.layout import (
    LINK_RAW,
    MARK_FRAGMENT,
    MARK_LATER_FRAGMENT,
    MARK_PORTS,
    MARK_TRANSPORT,
    RECORD,
)
from twinwall.path.primitives import Pointer

V6 = {"source": "2001:db8::1", "destination": "2001:db8::2"}
OPTIONS = b"\x2c\0\x01\x04\0\0\0\0"  # IPv6 destination options: PadN, then a fragment header


def decoded(packet: bytes) -> np.void:
    record = np.zeros(1, dtype=RECORD)
    start = Pointer(packet)
    decode(start, start + len(packet), LINK_RAW, len(packet), Pointer(record.view(np.uint64).data.cast("B")))
    return record[0]


@pytest.mark.parametrize(
    "family",
    [{}, {"options": b"\x94\x04\0\0"}, V6, V6 | {"options": OPTIONS, "first_header": 60}],
    ids=["v4", "v4-options", "v6", "v6-options"],
)
def test_the_datagram_decodes_as_what_was_cut(family):
    udp = struct.pack("!HHHH", 53, 40_000, 8 + 100, 0) + b"x" * 100
    pieces = [Piece(start, udp[start : start + 40], start + 40 < len(udp), **family) for start in range(0, len(udp), 40)]
    for piece in pieces:
        assert decoded(piece.encode())["marks"] & MARK_FRAGMENT
    talk = Dialogue()
    answers = [talk.say(piece) for piece in reversed(pieces)]
    record = decoded(answers[-1].datagram)
    assert record["reason"] == 0
    assert record["marks"] & (MARK_PORTS | MARK_TRANSPORT) == MARK_PORTS | MARK_TRANSPORT
    assert not record["marks"] & (MARK_FRAGMENT | MARK_LATER_FRAGMENT)
    assert (record["sport"], record["dport"], record["payload_length"]) == (53, 40_000, 100)


@pytest.mark.parametrize("family", [{}, V6], ids=["v4", "v6"])
def test_the_decoder_and_the_test_s_record_name_the_same_datagram(family):
    piece = Piece(8, b"x" * 16, **family).encode()
    record = decoded(piece)
    assert record["ip_id"] == 7
    assert record["marks"] & MARK_LATER_FRAGMENT


def test_the_largest_ipv6_datagram_decodes():
    talk = Dialogue()
    talk.say(Piece(32_768, b"x" * 32_767, more=False, **V6))
    udp = struct.pack("!HHHH", 53, 40_000, 65_535, 0)
    record = decoded(talk.say(Piece(0, udp + b"x" * 32_760, **V6)).datagram)
    assert (record["reason"], record["sport"]) == (0, 53)


def test_a_first_piece_too_short_for_its_tcp_header_is_held_and_the_datagram_is_judged():
    tcp = struct.pack("!HHIIBBHHH", 40_000, 443, 1, 0, 0x50, 2, 512, 0, 0)
    first, second = Piece(0, tcp[:8], protocol=6), Piece(8, tcp[8:], more=False, protocol=6)
    assert decoded(first.encode())["reason"] == 0
    talk = Dialogue()
    talk.say(first)
    record = decoded(talk.say(second).datagram)
    assert (record["reason"], record["dport"], record["tcp_flags"]) == (0, 443, 2)
