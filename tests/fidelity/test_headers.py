from __future__ import annotations

from random import Random

import pytest

from tests.conntrack.segments import PAIR6, Pair, ip, tcp
from tests.fidelity.headers import (
    add_ipv4_options,
    add_ipv6_extensions,
    cut_in_pieces,
    fix_checksums,
    fix_ipv4,
    folded,
    header_length,
    ident_of,
    number,
    piece_of,
    protocol_of,
    vary_fields,
    version_of,
)
from tests.path.test_checksum import verify


@pytest.mark.parametrize("pair", [Pair(), PAIR6], ids=["v4", "v6"])
@pytest.mark.parametrize("kind", ["tcp", "udp", "icmp"])
def test_checksums_are_right(pair: Pair, kind: str):
    packet = {"tcp": pair.tcp("S", 7, size=31), "udp": pair.udp(5), "icmp": pair.icmp(8, payload=b"abc")}[kind]
    fixed = fix_checksums(vary_fields(Random(3), packet))
    assert verify(fixed, protocol=protocol_of(fixed)) == 0
    assert verify(fixed[:-1] + bytes([fixed[-1] ^ 1]), protocol=protocol_of(fixed)) != 0


@pytest.mark.parametrize("pair", [Pair(), PAIR6], ids=["v4", "v6"])
def test_the_number_survives_everything(pair: Pair):
    for seed in range(50):
        packet = vary_fields(Random(seed), pair.tcp("A", 1, 1, 100))
        packet = add_ipv6_extensions(Random(seed), add_ipv4_options(Random(seed), packet))
        assert protocol_of(packet) == 6
        packet = number(fix_checksums(packet), 54321)
        assert ident_of(packet) == 54321
        assert {ident_of(piece) for piece in cut_in_pieces(Random(seed), packet, 54321)} == {54321}


@pytest.mark.parametrize("pair", [Pair(), PAIR6], ids=["v4", "v6"])
def test_complete_pieces_make_the_packet(pair: Pair):
    packet = fix_ipv4(pair.udp(100))
    payload = packet[header_length(packet) :]
    found = 0
    for seed in range(200):
        pieces = sorted(cut_in_pieces(Random(seed), packet, 9), key=lambda each: piece_of(each) & 0x1FFF)
        skip = 8 if version_of(packet) == 6 else 0
        found += b"".join(piece[header_length(piece) + skip :] for piece in pieces) == payload
        assert all(piece_of(piece) for piece in pieces)
    assert found > 100  # the others lack, repeat or overlap a piece


def test_folded_is_the_sum_of_rfc_1071():
    assert folded(bytes.fromhex("0001f203f4f5f6f7")) == 0xDDF2
    assert folded(bytes(4)) == 0
    assert ip("10.0.0.1", "10.0.0.2", 6, tcp(1, 2, "S", 0, 0, 0, b"", b""))[10:12] != b"\0\0"
