"""The walks over arrays: the same frames, interpreted or compiled.  How they treat damage: `test_framing`."""

from __future__ import annotations

import numpy as np
import pytest

from tests.capture import forge
from tests.capture.forge import Packet
from tests.capture.reading import read
from tests.capture.test_framing import fresh_state
from twinwall.capture import framing
from twinwall.capture.framer import INTERPRETED, native_framer
from twinwall.path.layout import FRAME

PACKETS = [Packet(number, 0, bytes([number]) * 20) for number in range(1, 6)]
RECORDS = b"".join(forge.pcap_record(each) for each in PACKETS)
HEADER = 16
FRAMERS = {"interpreted": lambda: INTERPRETED, "compiled": native_framer}


@pytest.fixture(params=FRAMERS)
def framer(request):
    return FRAMERS[request.param]()


def walk(framer, data, room, at=0):
    """Frames found, bytes consumed, why it stopped; and the array that was filled."""
    buffer = np.frombuffer(bytearray(bytes(at) + data + bytes(8)), np.uint8)
    frames = np.zeros(room, FRAME)
    packed = framer.pcap(buffer, at, at + len(data), frames, fresh_state(0))
    return packed & 0xFFFFFF, packed >> 24 & 0xFFFFFFFF, packed >> 56, frames


def test_frames_lie_where_their_bytes_are_counted_from_the_buffer_s_beginning(framer):
    found, consumed, stop, frames = walk(framer, RECORDS, room=8, at=100)
    assert (found, consumed, stop) == (5, len(RECORDS), framing.STOP_END)
    assert frames["offset"][:5].tolist() == [100 + HEADER + number * (HEADER + 20) for number in range(5)]
    assert frames["captured_length"].tolist() == [20] * 5 + [0] * 3


def test_no_more_frames_are_found_than_there_is_room_for(framer):
    found, consumed, stop, frames = walk(framer, RECORDS, room=2)
    assert (found, consumed, stop) == (2, 2 * (HEADER + 20), framing.STOP_END)
    assert len(frames) == 2


def test_a_view_of_a_larger_array_is_filled_and_nothing_beside_it(framer):
    """A reader collects frames behind those that it has already."""
    whole = np.zeros(8, FRAME)
    buffer = np.frombuffer(bytearray(RECORDS + bytes(8)), np.uint8)
    framer.pcap(buffer, 0, len(RECORDS), whole[2:4], fresh_state(0))
    assert [bool(each) for each in whole["captured_length"]] == [False, False, True, True, False, False, False, False]


def test_a_record_that_is_not_all_there_is_left_for_the_next_walk(framer):
    found, consumed, _, _ = walk(framer, RECORDS[:-1], room=8)
    assert (found, consumed) == (4, 4 * (HEADER + 20))


def test_blocks_are_walked_up_to_the_first_that_is_no_packet(framer):
    packet = forge.enhanced(1, b"abcd")
    data = packet + forge.block(77, b"") + packet
    buffer = np.frombuffer(bytearray(data + bytes(8)), np.uint8)
    frames = np.zeros(4, FRAME)
    packed = framer.blocks(buffer, 0, len(data), frames, fresh_state(0))
    assert (packed & 0xFFFFFF, packed >> 24 & 0xFFFFFFFF, packed >> 56) == (1, len(packet), framing.STOP_BLOCK)


def test_a_whole_file_is_the_same_either_way(tmp_path, framer):
    path = tmp_path / "capture"
    path.write_bytes(forge.pcap(PACKETS))
    assert read([path], framer=framer) == read([path])


def test_nobody_is_told_of_a_compilation_that_happened_before():
    native_framer()
    told = []
    native_framer(lambda: told.append("compiling"))
    assert told == []
