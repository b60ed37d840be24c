"""Reassembly compiled for the processor does to its memory, byte for byte, what it does interpreted."""

from __future__ import annotations

import random

import numpy as np
import pytest

from tests.stream.dialogue import LINK, SECOND, Piece, record_of
from twinwall.path.checksum import verify
from twinwall.path.primitives import Pointer
from twinwall.policy.model import Overlap, Tracking
from twinwall.stream import fragments
from twinwall.stream.table import FragmentTable

native = pytest.importorskip("twinwall.targets.native")

ENTRIES = {
    "defragment": fragments.defragment,
    "expire": fragments.expire,
    "release": fragments.release,
    "waiting_count": fragments.waiting_count,
    "waiting_packet": fragments.waiting_packet,
    "datagram_address": fragments.datagram_address,
    "datagram_length": fragments.datagram_length,
    "datagram_snapped": fragments.datagram_snapped,
    "verify": verify,
}


@pytest.fixture(scope="module")
def compiled():
    return native.load(ENTRIES).functions


def packets(rng: random.Random, count: int) -> list[bytes]:
    """Datagrams in three pieces, in any order, with repeated, shifted and spoiled pieces among them, some cut."""
    made = []
    for identifier in range(count):
        family = rng.choice((("192.0.2.1", "198.51.100.2"), ("2001:db8::1", "2001:db8::2")))
        tos = rng.choice((0, 2))
        places = [(0, 1, True), (1, 2, True), (3, 1, False)]
        rng.shuffle(places)
        if rng.random() < 0.4:
            places.insert(rng.randint(0, 2), (rng.randint(0, 3), rng.randint(1, 3), True))
        for unit, units, more in places:
            data = rng.randbytes(8 * units - (0 if more else 3))
            piece = Piece(8 * unit, data, more, id=identifier, source=family[0], destination=family[1], tos=tos)
            packet = bytearray(piece.encode())
            if rng.random() < 0.1:
                packet[rng.randrange(1, len(packet))] = rng.randrange(256)
            if rng.random() < 0.1:
                del packet[max(20, len(packet) - rng.randint(1, 8)) :]
            made.append(b"\0" * LINK + bytes(packet))
    return made


@pytest.mark.parametrize("overlap", list(Overlap))
def test_interpreted_and_native_agree(compiled, overlap):
    rng = random.Random(str(overlap))
    tracking = Tracking(overlap=overlap, datagrams=3)
    ours, theirs = FragmentTable(tracking), FragmentTable(tracking)
    complete = 0
    for number, packet in enumerate(packets(rng, 100), 1):
        frame = np.frombuffer(packet, dtype=np.uint8)
        record = record_of(packet).view(np.uint64)
        now = number * SECOND
        start, address = Pointer(frame.data), frame.ctypes.data
        words = Pointer(record.data.cast("B"))
        assert verify(start, start + len(packet), words) == compiled["verify"](
            address, address + len(packet), record.ctypes.data
        )
        while slot := fragments.expire(ours.pointer(), now):
            assert compiled["expire"](theirs.address, now) == slot
            fragments.release(ours.pointer(), slot)
            compiled["release"](theirs.address, slot)
        assert compiled["expire"](theirs.address, now) == 0
        word = fragments.defragment(ours.pointer(), start, start + len(packet), words, number, now)
        assert compiled["defragment"](theirs.address, address, address + len(packet), record.ctypes.data, number, now) == word
        slot = word >> 32
        if slot:
            complete += word & 0xFF == fragments.COMPLETE
            assert compare_slots(compiled, ours, theirs, slot)
            fragments.release(ours.pointer(), slot)
            compiled["release"](theirs.address, slot)
        assert np.array_equal(ours.memory, theirs.memory)
    assert complete > 20


def compare_slots(compiled, ours: FragmentTable, theirs: FragmentTable, slot: int) -> bool:
    """Whether both tables say the same of a closed slot."""
    memory = ours.pointer()
    for name in ("waiting_count", "datagram_length", "datagram_snapped"):
        assert compiled[name](theirs.address, slot) == ENTRIES[name](memory, slot)
    for index in range(fragments.waiting_count(memory, slot)):
        assert compiled["waiting_packet"](theirs.address, slot, index) == fragments.waiting_packet(memory, slot, index)
    place = fragments.datagram_address(memory, slot) - memory
    return compiled["datagram_address"](theirs.address, slot) == theirs.address + place
