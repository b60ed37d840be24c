"""What holds for every datagram, every way to cut it and every order: and for bytes that are no datagram at all."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.stream.dialogue import Dialogue, Piece, internet_checksum
from twinwall.policy.model import Overlap

V6 = {"source": "2001:db8::1", "destination": "2001:db8::2"}
FAMILIES = st.sampled_from([{}, V6])


@st.composite
def cut(draw) -> list[Piece]:
    """A datagram cut anywhere into at least two pieces, in any order."""
    family = draw(FAMILIES)
    data = draw(st.binary(min_size=9, max_size=200))
    cuts = draw(st.sets(st.integers(1, (len(data) - 1) // 8), min_size=1))
    edges = [0, *(8 * unit for unit in sorted(cuts)), len(data)]
    pieces = [Piece(start, data[start:end], end < len(data), **family) for start, end in pairwise(edges)]
    return draw(st.permutations(pieces))


@pytest.mark.parametrize("overlap", list(Overlap))
@settings(max_examples=40, deadline=None)
@given(pieces=cut())
def test_any_cut_in_any_order_gives_the_datagram_back(overlap, pieces):
    talk = Dialogue(overlap)
    for piece in pieces[:-1]:
        assert talk.say(piece).outcome == "HELD"
    answer = talk.say(pieces[-1])
    data = b"".join(piece.data for piece in sorted(pieces, key=lambda piece: piece.start))
    assert answer.outcome == "COMPLETE"
    assert answer.packets == tuple(range(1, len(pieces) + 1))
    header = 40 if pieces[0].source == V6["source"] else 20
    assert answer.datagram[header:] == data
    if header == 20:
        assert internet_checksum(answer.datagram[:20]) == 0


@settings(max_examples=100, deadline=None)
@given(pieces=cut(), which=st.integers(min_value=0), shift=st.sampled_from([-8, 8]))
def test_under_discard_a_piece_across_another_piece_s_edge_never_gets_into_a_datagram(pieces, which, shift):
    """A forged piece lies 8 bytes beside a real one that came before it; whatever comes out holds real bytes only."""
    real = pieces[which % len(pieces)]
    if real.start + shift < 0:
        return
    length = (len(real.data) + 7) // 8 * 8 + 8
    forged = Piece(real.start + shift, b"\xff" * length, source=real.source, destination=real.destination)
    if any((piece.start, len(piece.data)) == (forged.start, length) for piece in pieces):
        return  # exactly in place of a real one: the first to come counts, as in Linux
    talk = Dialogue()
    data = b"".join(piece.data for piece in sorted(pieces, key=lambda piece: piece.start))
    for piece in pieces:
        assert (talk.say(piece).datagram or data).endswith(data)
        if piece is real:
            talk.say(forged)


@settings(max_examples=200, deadline=None)
@given(
    overlap=st.sampled_from(Overlap),
    packets=st.lists(
        st.tuples(
            FAMILIES,
            st.integers(0, 12),
            st.integers(0, 48),
            st.booleans(),
            st.integers(1, 3),
            st.binary(max_size=4),
            st.integers(0, 60),
        ),
        max_size=30,
    ),
)
def test_random_pieces_stay_inside_the_table_and_each_packet_is_answered_once(overlap, packets):
    talk = Dialogue(overlap, datagrams=2)
    size = talk.table.memory.nbytes
    answered: list[int] = []
    turned_away: set[int] = set()
    for family, unit, length, more, identifier, noise, captured in packets:
        packet = bytearray(Piece(8 * unit, b"d" * length, more, id=identifier, **family).encode())
        for index, byte in enumerate(noise):  # spoil the header, but not the version
            packet[1 + (byte * (index + 1)) % (len(packet) - 1)] = byte
        answer = talk.say(bytes(packet), captured=max(captured, 40))
        if answer.outcome == "EVICT":
            answered += answer.packets
            turned_away.add(talk.count)
            continue
        alone = answer.outcome in {"WHOLE", "DUPLICATE"} or (answer.outcome in {"BAD", "LIMIT"} and not answer.packets)
        answered += [talk.count] if alone else answer.packets
    for packets_left in talk.wait(3600):
        answered += packets_left
    assert sorted(answered) == sorted(set(range(1, talk.count + 1)) - turned_away)
    assert talk.table.memory.nbytes == size


@settings(max_examples=200, deadline=None)
@given(packet=st.binary(min_size=1, max_size=120), version=st.sampled_from([0x45, 0x4F, 0x60]))
def test_random_bytes_never_lead_outside_the_packet(packet, version):
    padded = bytes([version]) + packet[1:].ljust(40, b"\x2c")
    talk = Dialogue(datagrams=1)
    assert talk.say(padded).outcome in {"WHOLE", "HELD", "BAD", "COMPLETE", "EVICT"}
