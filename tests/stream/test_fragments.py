"""Reassembly by example: what each piece is answered, which packets an answer is for, and what comes out."""

from __future__ import annotations

import dataclasses

import pytest

from tests.stream.dialogue import Dialogue, Piece, internet_checksum, outcomes
from twinwall.path.reason import Reason
from twinwall.policy.model import Overlap, Timeout

V6 = {"source": "2001:db8::1", "destination": "2001:db8::2"}
FAMILIES = pytest.mark.parametrize("family", [{}, V6], ids=["v4", "v6"])


def piece(start: int, length: int, *, more: bool = True, fill: str = "a", **fields) -> Piece:
    return Piece(start, fill.encode() * length, more, **fields)


@FAMILIES
def test_pieces_in_order_make_the_datagram(family):
    talk = Dialogue()
    assert talk.say(piece(0, 16, fill="a", **family)).outcome == "HELD"
    assert talk.say(piece(16, 8, fill="b", **family)).outcome == "HELD"
    answer = talk.say(piece(24, 5, more=False, fill="c", **family))
    assert answer.outcome == "COMPLETE"
    assert answer.packets == (1, 2, 3)
    assert answer.datagram.endswith(b"a" * 16 + b"b" * 8 + b"c" * 5)


def test_v4_header_says_what_the_datagram_is():
    talk = Dialogue()
    options = b"\x94\x04\x00\x00"  # router alert
    talk.say(piece(16, 3, more=False))
    header = talk.say(piece(0, 16, options=options)).datagram[:24]
    assert header[0] == 0x46
    assert int.from_bytes(header[2:4], "big") == 24 + 19
    assert header[6:8] == b"\0\0"
    assert header[20:] == options
    assert internet_checksum(header) == 0


def test_v6_fragment_header_goes_and_the_one_before_announces_the_protocol():
    talk = Dialogue()
    hop_by_hop = b"\x2c\x00\x01\x04\0\0\0\0"  # next header 44, PadN
    fields = V6 | {"options": hop_by_hop, "first_header": 0}
    talk.say(piece(0, 16, **fields))
    datagram = talk.say(piece(16, 3, more=False, **fields)).datagram
    assert int.from_bytes(datagram[4:6], "big") == 8 + 19
    assert datagram[6] == 0
    assert datagram[40] == 17
    assert datagram[41:48] == hop_by_hop[1:]
    assert datagram[48:] == b"a" * 19


def test_v6_datagram_takes_the_protocol_of_the_first_piece():
    talk = Dialogue()
    talk.say(piece(16, 3, more=False, **V6, protocol=6))
    assert talk.say(piece(0, 16, **V6, protocol=17)).datagram[6] == 17


@pytest.mark.parametrize(
    "change",
    [{"id": 8}, {"source": "192.0.2.9"}, {"destination": "198.51.100.9"}, {"protocol": 6}],
    ids=lambda change: next(iter(change)),
)
def test_v4_pieces_of_other_datagrams_stay_apart(change):
    talk = Dialogue()
    assert outcomes(talk, piece(0, 8), piece(8, 8, more=False, **change)) == ["HELD", "HELD"]


@pytest.mark.parametrize("change", [{"id": 0x10007}, {"source": "2001:db8::9"}], ids=lambda change: next(iter(change)))
def test_v6_pieces_of_other_datagrams_stay_apart(change):
    talk = Dialogue()
    assert outcomes(talk, piece(0, 8, **V6), piece(8, 8, more=False, **V6 | change)) == ["HELD", "HELD"]


@FAMILIES
def test_an_overlap_discards_all_pieces(family):
    talk = Dialogue()
    talk.say(piece(0, 16, **family))
    answer = talk.say(piece(8, 16, **family))
    assert (answer.outcome, answer.reason, answer.packets) == ("OVERLAP", Reason.FRAGMENT_OVERLAP, (1, 2))
    # The rest of the datagram is a new one, which never completes.
    assert talk.say(piece(24, 8, more=False, **family)).outcome == "HELD"


@FAMILIES
def test_a_repeated_piece_is_ignored(family):
    talk = Dialogue()
    talk.say(piece(0, 16, **family))
    answer = talk.say(piece(0, 16, fill="X", **family))
    assert (answer.outcome, answer.reason, answer.packets) == ("DUPLICATE", Reason.FRAGMENT_DUPLICATE, ())
    answer = talk.say(piece(16, 8, more=False, **family))
    assert answer.packets == (1, 3)
    assert answer.datagram.endswith(b"a" * 24)


@FAMILIES
def test_a_piece_inside_a_run_is_a_repetition_and_across_two_runs_an_overlap(family):
    talk = Dialogue()
    talk.say(piece(0, 16, **family))
    talk.say(piece(16, 16, **family))  # one run with the piece before it: it came behind it, in order
    assert talk.say(piece(8, 16, **family)).outcome == "DUPLICATE"
    talk = Dialogue()
    talk.say(piece(16, 16, **family))
    talk.say(piece(0, 16, **family))  # a run of its own: it fills a gap
    assert talk.say(piece(8, 16, **family)).outcome == "OVERLAP"


@pytest.mark.parametrize(
    "pieces",
    [
        ((0, 16, True), (8, 4, False)),  # ends before what is there
        ((8, 8, False), (0, 24, True)),  # reaches past the end
        ((8, 8, False), (16, 8, False)),  # two ends
        ((0, 8, True), (8, 0, False)),  # empty
    ],
)
def test_a_piece_that_contradicts_the_length_ends_a_v4_datagram_and_is_itself_refused_in_v6(pieces):
    (first, second) = ((start, length, more) for start, length, more in pieces)
    for family, packets in (({}, (1, 2)), (V6, ())):
        talk = Dialogue()
        assert talk.say(piece(*first[:2], more=first[2], **family)).outcome == "HELD"
        answer = talk.say(piece(*second[:2], more=second[2], **family))
        assert (answer.outcome, answer.reason, answer.packets) == ("BAD", Reason.BAD_FRAGMENT, packets)


@FAMILIES
def test_a_piece_that_is_not_last_has_whole_units(family):
    assert Dialogue().say(piece(0, 12, **family)).reason is Reason.BAD_FRAGMENT


@FAMILIES
def test_a_piece_beyond_65535_bytes_is_refused(family):
    assert Dialogue().say(piece(65_528, 8, more=False, **family)).reason is Reason.BAD_FRAGMENT
    assert Dialogue().say(piece(65_528, 7, more=False, **family)).outcome == "HELD"


def test_header_and_payload_together_stay_within_65535_bytes():
    talk = Dialogue()
    talk.say(piece(32_768, 32_752, more=False))  # 65,520 bytes of payload: 5 too many beside the header
    answer = talk.say(piece(0, 32_768))
    assert (answer.outcome, answer.reason, answer.packets) == ("BAD", Reason.BAD_FRAGMENT, (1, 2))
    talk = Dialogue()
    talk.say(piece(32_768, 32_747, more=False))
    assert len(talk.say(piece(0, 32_768)).datagram) == 65_535
    talk = Dialogue()
    talk.say(piece(32_768, 32_767, more=False, **V6))  # IPv6 does not count its header
    assert len(talk.say(piece(0, 32_768, **V6)).datagram) == 65_575


def test_a_whole_packet_is_its_own_datagram():
    assert Dialogue().say(piece(0, 20, more=False)).outcome == "WHOLE"


def test_an_atomic_fragment_is_its_own_datagram_beside_pieces_with_its_id():
    talk = Dialogue()
    talk.say(piece(0, 8, **V6))
    assert talk.say(piece(0, 8, more=False, **V6)).outcome == "WHOLE"
    assert talk.say(piece(8, 8, more=False, **V6)).outcome == "COMPLETE"


@pytest.mark.parametrize(("family", "seconds"), [({}, 30), (V6, 60)], ids=["v4", "v6"])
def test_a_datagram_expires_counted_from_its_first_piece(family, seconds):
    talk = Dialogue()
    talk.say(piece(0, 8, **family))
    assert talk.wait(seconds - 1) == []
    talk.say(piece(8, 8, **family))
    assert talk.wait(1) == [(1, 2)]
    assert talk.say(piece(16, 8, more=False, **family)).outcome == "HELD"


def test_timeouts_come_from_the_policy_and_datagrams_expire_each_on_its_own():
    talk = Dialogue(timeouts=((Timeout.FRAGMENT_V4, 5.0),))
    talk.say(piece(0, 8))
    talk.say(piece(0, 8, **V6))
    assert talk.wait(5) == [(1,)]
    assert talk.wait(55) == [(2,)]
    assert talk.wait(1000) == []


def test_the_oldest_datagram_makes_room_and_its_packets_are_named():
    talk = Dialogue(datagrams=2)
    talk.say(piece(0, 8, id=1))
    talk.say(piece(0, 8, id=2))
    talk.say(piece(16, 8, id=1))
    answer = talk.say(piece(0, 8, id=3))
    assert (answer.outcome, answer.reason, answer.packets) == ("EVICT", Reason.FRAGMENT_LIMIT, (1, 3))
    assert talk.say(piece(0, 8, id=3)).outcome == "HELD"
    assert talk.say(piece(8, 8, id=2, more=False)).outcome == "COMPLETE"


def test_a_table_without_room_refuses_every_piece():
    answer = Dialogue(datagrams=0).say(piece(0, 8))
    assert (answer.outcome, answer.reason, answer.packets) == ("LIMIT", Reason.FRAGMENT_LIMIT, ())


def test_a_datagram_has_at_most_2048_pieces():
    talk = Dialogue()
    for number in range(2_048):
        assert talk.say(piece(8 * number, 8)).outcome == "HELD"
    answer = talk.say(piece(8 * 2_048, 8, more=False))
    assert (answer.outcome, answer.reason) == ("LIMIT", Reason.FRAGMENT_LIMIT)
    assert answer.packets == tuple(range(1, 2_050))


def test_a_freed_slot_remembers_nothing():
    talk = Dialogue(datagrams=1)
    talk.say(piece(0, 64, fill="x"))
    talk.say(piece(32, 64, fill="x"))  # an overlap: the slot is freed
    assert outcomes(talk, piece(0, 8, fill="n"), piece(16, 8, fill="n", more=False)) == ["HELD", "HELD"]
    assert talk.say(piece(8, 8, fill="n")).datagram[20:] == b"n" * 24


@FAMILIES
def test_bytes_that_the_capture_cut_off_are_zero_and_the_datagram_says_so(family):
    talk = Dialogue()
    header = 48 if family else 20
    talk.say(piece(0, 16, **family), captured=header + 10)
    answer = talk.say(piece(16, 4, more=False, **family))
    assert answer.snapped
    assert answer.datagram.endswith(b"a" * 10 + b"\0" * 6 + b"a" * 4)


@FAMILIES
@pytest.mark.parametrize("last", [0, 1, 2, 3])
def test_congestion_marks_of_pieces_that_can_and_cannot_carry_them_do_not_mix(family, last):
    for overlap, outcome in ((Overlap.DISCARD, "COMPLETE" if last == 0 else "BAD"), (Overlap.FIRST, "COMPLETE")):
        talk = Dialogue(overlap)
        talk.say(piece(0, 8, tos=0, **family))
        assert talk.say(piece(8, 8, more=False, tos=last, **family)).outcome == outcome


@FAMILIES
def test_a_datagram_met_congestion_if_a_piece_did(family):
    talk = Dialogue()
    talk.say(piece(0, 8, tos=0xB8 | 2, **family))
    datagram = talk.say(piece(8, 8, more=False, tos=0xB8 | 3, **family)).datagram
    tos = (int.from_bytes(datagram[:4], "big") >> 20) & 0xFF if family else datagram[1]
    assert tos == 0xB8 | 3


def test_dont_fragment_of_the_first_piece_stays():
    first = bytearray(piece(0, 8).encode())
    first[6] |= 0x40
    talk = Dialogue()
    talk.say(bytes(first))
    assert talk.say(piece(8, 8, more=False)).datagram[6:8] == b"\x40\0"


def test_pieces_with_different_options_keep_the_first_pieces():
    talk = Dialogue()
    talk.say(dataclasses.replace(piece(8, 8, more=False), options=b"\x01" * 8))
    assert talk.say(piece(0, 8)).datagram[0] == 0x45
