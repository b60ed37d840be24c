"""pcap files (draft-ietf-opsawg-pcap): a 24-byte header, then records.

Read in both byte orders, with micro- and nanoseconds, and in the "modified" form of old Linux systems, whose record headers
are 8 bytes longer.  The upper half of the link type field (FCS length and flags) is ignored.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING

from twinwall.capture import framing
from twinwall.capture.tape import PACKET_LIMIT, Tape

if TYPE_CHECKING:
    from twinwall.capture.batch import Piece

HEADER_BYTES = 24
MICROSECONDS, NANOSECONDS, MODIFIED = 0xA1B2C3D4, 0xA1B23C4D, 0xA1B2CD34
RECORD_BYTES = {MICROSECONDS: 16, NANOSECONDS: 16, MODIFIED: 24}
FRACTION_SCALE = {MICROSECONDS: 1000, NANOSECONDS: 1, MODIFIED: 1000}
MAGICS = frozenset(struct.pack(order + "I", magic) for magic in RECORD_BYTES for order in "<>")


def read_pcap(tape: Tape) -> Iterator[Piece]:
    """Yield the frames of the pcap file that starts here; raise `CaptureError` where it cannot be read further."""
    _read_header(tape)
    while True:
        stop = tape.walk(tape.framer.pcap)
        if stop == framing.STOP_LENGTH:
            raise tape.corrupt(f"a record claims more than {PACKET_LIMIT} captured bytes")
        full = tape.full
        yield from tape.flush()
        if not full and not tape.window.refill():
            break
    tape.finish("record")


def _read_header(tape: Tape) -> None:
    window = tape.window
    if window.rest < HEADER_BYTES:
        raise tape.ended_early("pcap header")
    header = window.buffer[window.position : window.position + HEADER_BYTES].tobytes()
    order = "<" if struct.unpack("<I", header[:4])[0] in RECORD_BYTES else ">"
    magic, major, minor, _, _, _, linktype = struct.unpack(order + "IHHIIII", header)
    state = tape.state
    state[framing.S_SWAPPED] = order == ">"
    state[framing.S_SCALE] = FRACTION_SCALE[magic]
    state[framing.S_HEADER] = RECORD_BYTES[magic]
    state[framing.S_ORDER] = _length_order(major, minor)
    state[framing.S_TAG] = tape.tag(linktype & 0xFFFF, "")
    window.position += HEADER_BYTES


def _length_order(major: int, minor: int) -> int:
    """Which length comes first; versions up to 2.3 were written both ways (libpcap, sf-pcap.c)."""
    if (major, minor) == (2, 3):
        return framing.LENGTHS_SORTED
    if (major, minor) == (543, 0) or (major == 2 and minor < 3):
        return framing.LENGTHS_EXCHANGED
    return framing.LENGTHS_AS_WRITTEN
