"""Finding the fragment header behind IPv6's extension headers, within bounds."""

from __future__ import annotations

import pytest

from tests.stream.dialogue import Dialogue, Piece
from twinwall.path.primitives import Pointer
from twinwall.path.reason import Reason
from twinwall.policy.model import Tracking
from twinwall.stream.piece import NOT_A_PIECE, read_piece
from twinwall.stream.table import FragmentTable

V6 = {"source": "2001:db8::1", "destination": "2001:db8::2"}


def chain(*protocols: int) -> dict:
    """Fields of a piece with these extension headers, 8 bytes each, before its fragment header."""
    following = [*protocols[1:], 44]
    headers = b"".join(bytes([each, 0, 1, 4, 0, 0, 0, 0]) for each in following)
    return V6 | {"options": headers, "first_header": protocols[0]}


@pytest.mark.parametrize("protocols", [(0,), (60,), (43,), (0, 60, 43), (60,) * 15])
def test_extension_headers_before_the_fragment_header_are_followed(protocols):
    talk = Dialogue()
    talk.say(Piece(0, b"a" * 8, **chain(*protocols)))
    datagram = talk.say(Piece(8, b"b", more=False, **chain(*protocols))).datagram
    assert datagram[40 + 8 * len(protocols) :] == b"a" * 8 + b"b"
    assert datagram[40 + 8 * (len(protocols) - 1)] == 17


def test_an_authentication_header_counts_its_length_in_words():
    header = bytes([44, 4]) + bytes(22)  # 24 bytes: (4 + 2) * 4
    talk = Dialogue()
    assert talk.say(Piece(0, b"a" * 8, **V6, options=header, first_header=51)).outcome == "HELD"


def test_more_extension_headers_than_are_followed_are_refused():
    assert Dialogue().say(Piece(0, b"a" * 8, **chain(*(60,) * 16))).reason is Reason.BAD_FRAGMENT


def test_an_unfragmentable_part_longer_than_there_is_room_for_is_refused():
    options = bytes([44, 251]) + bytes(8 * 252 - 2)  # 2,016 bytes: 8 too many behind the IPv6 header
    assert Dialogue().say(Piece(0, b"a" * 8, **V6, options=options, first_header=60)).reason is Reason.BAD_FRAGMENT
    options = bytes([44, 250]) + bytes(8 * 251 - 2)
    assert Dialogue().say(Piece(0, b"a" * 8, **V6, options=options, first_header=60)).outcome == "HELD"


@pytest.mark.parametrize("protocol", [135, 139, 140, 50, 59, 17])
def test_what_stands_behind_a_protocol_is_its_own(protocol):
    """Mobility, HIP and Shim6 are protocols here, as for Linux: a fragment header behind one makes no piece."""
    assert Dialogue().say(Piece(0, b"a" * 8, **chain(protocol))).outcome == "WHOLE"


def test_a_chain_that_leads_elsewhere_is_no_piece():
    packet = bytearray(Piece(0, b"a" * 8, **chain(60)).encode())
    packet[40] = 17
    assert Dialogue().say(bytes(packet)).outcome == "WHOLE"


@pytest.mark.parametrize("captured", [40, 47, 48, 55])
def test_a_cut_inside_the_chain_is_said(captured):
    answer = Dialogue().say(Piece(0, b"a" * 8, **chain(60)), captured=captured)
    assert answer.reason is Reason.TRUNCATED_EXTENSION


def test_ipv6_payload_length_that_ends_before_the_fragment_header_is_refused():
    packet = bytearray(Piece(0, b"a" * 8, **V6).encode())
    packet[4:6] = b"\0\4"
    assert Dialogue().say(bytes(packet)).reason is Reason.BAD_FRAGMENT


@pytest.mark.parametrize(("at", "value"), [(0, 0x44), (3, 19)])
def test_ipv4_lengths_that_contradict_each_other_are_refused(at, value):
    packet = bytearray(Piece(0, b"a" * 8).encode())
    packet[at] = value
    assert Dialogue().say(bytes(packet)).reason is Reason.BAD_FRAGMENT


@pytest.mark.parametrize(
    ("family", "captured", "reason"),
    [({}, 19, Reason.BAD_FRAGMENT), (V6, 39, Reason.TRUNCATED_EXTENSION)],
    ids=["v4", "v6"],
)
def test_a_cut_inside_the_ip_header_is_said(family, captured, reason):
    assert Dialogue().say(Piece(0, b"a" * 8, **family), captured=captured).reason is reason


def test_a_frame_without_ip_is_no_piece():
    record = Pointer(bytearray(128))
    frame = Pointer(b"")
    assert read_piece(FragmentTable(Tracking(datagrams=1)).pointer(), frame, frame, record) == NOT_A_PIECE
