"""pcapng files (draft-ietf-opsawg-pcapng): sections of blocks.

Packet blocks are walked by `framing.frame_blocks`; here are the others: section headers and interface descriptions are read,
every other block is skipped without being held in memory.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from twinwall.capture import framing
from twinwall.capture.interface import parse_interface, state_row
from twinwall.capture.tape import PACKET_LIMIT, Tape

if TYPE_CHECKING:
    from twinwall.capture.batch import Piece

SECTION_HEADER, INTERFACE_DESCRIPTION = 0x0A0D0D0A, 1
MAGIC = b"\x0a\x0d\x0d\x0a"
BYTE_ORDER_MAGIC = 0x1A2B3C4D
SHORTEST_SECTION = 28
SHORTEST_BLOCK = framing.SHORTEST_BLOCK
INTERFACE_LIMIT = 65_536  # in one section; keeps a hostile file's table small

COMPLAINTS = {
    framing.STOP_LENGTH: f"a packet block claims more than {PACKET_LIMIT} captured bytes",
    framing.STOP_SHAPE: "a packet block whose lengths contradict each other",
    framing.STOP_INTERFACE: "a packet of an interface that the section does not describe",
}


def read_pcapng(tape: Tape) -> Iterator[Piece]:
    """Yield the frames of the pcapng file that starts here; raise `CaptureError` where it cannot be read further."""
    yield from _other_block(tape)
    while True:
        stop = tape.walk(tape.framer.blocks)
        if stop in COMPLAINTS:
            raise tape.corrupt(COMPLAINTS[stop])
        if stop == framing.STOP_BLOCK:
            yield from _other_block(tape)
            continue
        full = tape.full
        yield from tape.flush()
        if not full and not tape.window.refill():
            break
    tape.finish("block")


def _order(tape: Tape) -> str:
    return ">" if tape.state[framing.S_SWAPPED] else "<"


def _other_block(tape: Tape) -> Iterator[Piece]:
    """Read or skip the block at the window's position, which is not a packet."""
    yield from tape.need(SHORTEST_BLOCK)
    window = tape.window
    if window.rest < SHORTEST_BLOCK:
        raise tape.ended_early("block")
    head = window.buffer[window.position : window.position + SHORTEST_BLOCK].tobytes()
    if head[:4] == MAGIC:
        _set_byte_order(tape, head[8:])
    kind, total = struct.unpack_from(_order(tape) + "II", head)
    if total < SHORTEST_BLOCK or total & 3:
        raise tape.corrupt(f"a block of type {kind:#x} with the impossible length {total}")
    if kind not in {SECTION_HEADER, INTERFACE_DESCRIPTION}:
        yield from _skip(tape, total)
        return
    if total > len(window.buffer):
        raise tape.corrupt(f"a block of type {kind:#x} that claims {total} bytes")
    yield from tape.need(total)
    if window.rest < total:
        raise tape.ended_early("block")
    block = window.buffer[window.position : window.position + total].tobytes()
    _check_trailer(tape, total, block[-4:])
    if kind == SECTION_HEADER:
        _start_section(tape, block)
    else:
        _declare_interface(tape, block)
    window.position += total


def _check_trailer(tape: Tape, total: int, trailer: bytes) -> None:
    (again,) = struct.unpack(_order(tape) + "I", trailer)
    if again != total:
        raise tape.corrupt(f"a block that begins with length {total} and ends with length {again}")


def _set_byte_order(tape: Tape, mark: bytes) -> None:
    for order, swapped in (("<", 0), (">", 1)):
        if struct.unpack(order + "I", mark)[0] == BYTE_ORDER_MAGIC:
            tape.state[framing.S_SWAPPED] = swapped
            return
    raise tape.corrupt("a section header without a byte-order mark")


def _start_section(tape: Tape, block: bytes) -> None:
    if len(block) < SHORTEST_SECTION:
        raise tape.corrupt("a section header that is too short")
    major, minor = struct.unpack_from(_order(tape) + "HH", block, 12)
    if major != 1:
        raise tape.error(f"pcapng version {major}.{minor}", "only version 1 is known; convert the file with editcap")
    tape.state[framing.S_INTERFACES] = 0


def _declare_interface(tape: Tape, block: bytes) -> None:
    number = int(tape.state[framing.S_INTERFACES])
    if number == INTERFACE_LIMIT:
        raise tape.error(
            f"more than {INTERFACE_LIMIT} interfaces in one section", "split the file; no real capture has so many"
        )
    try:
        interface = parse_interface(block[8:-4], _order(tape))
    except ValueError as problem:
        raise tape.corrupt(str(problem)) from None
    start = framing.STATE_WORDS + number * framing.ROW_WORDS
    if start + framing.ROW_WORDS > len(tape.state):
        tape.state = np.concatenate((tape.state, np.zeros(len(tape.state), np.uint64)))
    row = state_row(interface, tape.tag(interface.linktype, interface.name))
    tape.state[start : start + framing.ROW_WORDS] = row
    tape.state[framing.S_INTERFACES] = number + 1


def _skip(tape: Tape, total: int) -> Iterator[Piece]:
    """Pass over a block of any length, piece by piece."""
    window = tape.window
    tape.begun = window.offset
    left = total - 4
    while left > window.rest:
        left -= window.rest
        window.position = window.end
        yield from tape.flush()
        if not window.refill():
            raise tape.ended_early("block")
    window.position += left
    yield from tape.need(4)
    if window.rest < 4:
        raise tape.ended_early("block")
    _check_trailer(tape, total, window.buffer[window.position : window.position + 4].tobytes())
    window.position += 4
    tape.begun = None
