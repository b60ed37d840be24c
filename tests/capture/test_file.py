"""One file, read: what is handed on before an error, and that the file is closed whatever happens."""

from __future__ import annotations

import struct

import pytest

from tests.capture import forge
from tests.capture.forge import Packet
from twinwall.capture.buffers import BufferPool
from twinwall.capture.error import CaptureError
from twinwall.capture.file import read_file
from twinwall.capture.framer import INTERPRETED
from twinwall.capture.source import open_source
from twinwall.capture.tape import RunContext
from twinwall.path.layout import FRAME_BYTES

PACKETS = [Packet(number, 0, bytes([number]) * 20) for number in range(1, 6)]
GOOD = {
    "pcap": forge.pcap(PACKETS),
    "big-endian pcap": forge.pcap(PACKETS, ">"),
    "pcapng": forge.section() + forge.interface() + b"".join(forge.enhanced(each.seconds, each.data) for each in PACKETS),
}
TOO_LONG = struct.pack("<IIII", 1, 0, 1 << 30, 1 << 30)


@pytest.fixture
def opened(tmp_path):
    """A function that opens bytes as a capture file: the source, and its pieces."""

    def opening(data, number=0):
        path = tmp_path / "capture"
        path.write_bytes(data)
        source = open_source(str(path))
        return source, read_file(source, number, RunContext(INTERPRETED, BufferPool(4096), BufferPool(16 * FRAME_BYTES)))

    return opening


def frames(pieces):
    """How many frames came, and the error behind them."""
    count = 0
    try:
        for piece in pieces:
            count += len(piece.frames)
    except CaptureError as error:
        return count, error
    return count, None


@pytest.mark.parametrize("name", GOOD)
def test_what_a_file_is_is_found_out_from_its_first_bytes(opened, name):
    source, pieces = opened(GOOD[name])
    assert frames(pieces) == (len(PACKETS), None)
    assert source.raw.file.closed


@pytest.mark.parametrize(
    ("tail", "words"), [(b"\0" * 7, "the file ends inside a"), (TOO_LONG, "claims more than"), (TOO_LONG[:-1], "ends inside a")]
)
def test_frames_before_the_damage_are_handed_on_and_then_it_is_said_where_it_begins(opened, tail, words):
    source, pieces = opened(GOOD["pcap"] + tail)
    count, error = frames(pieces)
    assert count == len(PACKETS)
    assert error.offset == len(GOOD["pcap"])
    assert error.path == source.path
    assert words in error.cause
    assert error.remedy
    assert source.raw.file.closed


@pytest.mark.parametrize("name", GOOD)
def test_a_file_of_the_first_bytes_of_a_capture_was_cut_off(opened, name):
    source, pieces = opened(GOOD[name][:3])
    count, error = frames(pieces)
    assert (count, error.offset) == (0, 0)
    assert error.cause == "the file ends inside a file header, after 3 bytes of it"
    assert "cut off" in error.remedy
    assert source.raw.file.closed


def test_a_compressed_file_that_breaks_at_once_is_not_taken_for_something_else(opened):
    _, pieces = opened(b"\x1f\x8b\x08\x00" + bytes(20))
    count, error = frames(pieces)
    assert count == 0
    assert "not a pcap" not in error.cause
    assert error.remedy


def test_a_file_that_nobody_reads_to_its_end_is_closed_too(opened):
    source, pieces = opened(GOOD["pcap"])
    next(pieces)
    assert not source.raw.file.closed
    pieces.close()
    assert source.raw.file.closed


def test_frames_say_which_file_of_a_run_they_are_of(opened):
    _, pieces = opened(GOOD["pcap"], number=3)
    assert {int(source) for piece in pieces for source in piece.frames["source"]} == {3}
