# ruff: noqa: PLR1714, PLR1730 - packet-path style: plain comparisons
"""Where the frames lie: a walk over a piece of a capture file, in packet-path style (docs/design/contracts.md).

`frame_pcap` walks pcap records (draft-ietf-opsawg-pcap), `frame_blocks` walks the packet blocks of pcapng
(draft-ietf-opsawg-pcapng) up to the first block of another kind.  Both fill an array of `path.layout.FRAME` and keep the
counters of what they saw in `state`, a table of 64-bit words that the reader owns: the `S_*` words below, then one row of
`ROW_WORDS` words per interface of the section.

Both return one word: frames found in bits 0-23, bytes consumed in bits 24-55, and in bits 56-63 why they stopped.
Offsets written to frames count from `buffer`.
"""

from __future__ import annotations

from twinwall.path.layout import FRAME_BYTES, LINK_UNSUPPORTED
from twinwall.path.primitives import Address, get, load_u16, load_u32, put
from twinwall.path.wire import be16, be32

# Why a walk stopped.
STOP_END = 0  # the array is full, or the buffer ends (perhaps inside a record)
STOP_LENGTH = 1  # a captured length above S_LIMIT
STOP_BLOCK = 2  # pcapng: a block that is not a packet; it is the reader's
STOP_SHAPE = 3  # pcapng: a block whose lengths contradict each other
STOP_INTERFACE = 4  # pcapng: a packet of an interface that the section did not declare

# Words of `state` that the reader sets.
S_SWAPPED = 0  # 1: the file's numbers are big-endian
S_SCALE = 1  # pcap: nanoseconds per unit of the fraction
S_HEADER = 2  # pcap: bytes of a record's header
S_ORDER = 3  # pcap: LENGTHS_*
S_TAG = 4  # pcap: the last word of every frame: link:8 interface:8 source:16 linktype:32
S_LIMIT = 5  # longest captured length that is believed
S_BLOCK_LIMIT = 6  # pcapng: longest packet block that is believed
S_INTERFACES = 7  # pcapng: interfaces declared so far in this section
# Words of `state` that the walk keeps up to date.
S_LAST = 8  # timestamp of the frame before
S_BACKWARDS = 9  # frames that are older than the frame before them
S_SNAPPED = 10  # frames with captured length < wire length
S_UNSUPPORTED = 11  # frames of a link type that twinwall does not decode
S_CAPTURED = 12  # bytes captured
S_WIRE = 13  # bytes on the wire
S_EARLIEST = 14
S_LATEST = 15
STATE_WORDS = 16

# Old pcap writers disagreed on which length comes first (libpcap, sf-pcap.c).
LENGTHS_AS_WRITTEN = 0  # captured length first
LENGTHS_SORTED = 1  # the smaller one is the captured length
LENGTHS_EXCHANGED = 2  # captured length second

# Words of an interface's row.
R_TAG = 0  # as S_TAG
R_SHIFT = 1  # b > 0: a timestamp counts 1/2**b seconds
R_MULTIPLY = 2  # else: nanoseconds = timestamp * multiply / divide
R_DIVIDE = 3  # never 0
R_LARGEST = 4  # largest timestamp that can be multiplied
R_LATER = 5  # nanoseconds to add: the interface's offset from UTC ...
R_EARLIER = 6  # ... and to subtract, if the offset is negative
R_SNAPLEN = 7
ROW_WORDS = 8

OLD_PACKET_BLOCK, SIMPLE_PACKET_BLOCK, ENHANCED_PACKET_BLOCK = 2, 3, 6

MASK32 = 0xFFFFFFFF
SECOND = 1_000_000_000
FINEST_SHIFT = 34  # 2**34 * 10**9 still fits 64 bits
LARGEST_SECOND = 9_223_372_036  # in nanoseconds still below 2**63
SHORTEST_BLOCK = 12  # type, length, length again
SIMPLE_HEAD = 12  # bytes before the data of a simple packet block
PACKET_HEAD = 28  # bytes before the data of the other two


def read16(base: Address, offset: int, swapped: int) -> int:
    """The file's 16-bit number at `base + offset`."""
    if swapped:
        return be16(base, offset)
    return load_u16(base, offset)


def read32(base: Address, offset: int, swapped: int) -> int:
    """The file's 32-bit number at `base + offset`."""
    if swapped:
        return be32(base, offset)
    return load_u32(base, offset)


def stopped(found: int, consumed: int, problem: int) -> int:
    """The word that a walk returns."""
    return found | (consumed << 24) | (problem << 56)


def count_frame(state: Address, timestamp: int, lengths: int, tag: int) -> int:
    """Take one frame into the counters; `lengths` is captured:32 wire:32."""
    captured = lengths & MASK32
    wire = lengths >> 32
    if timestamp < get(state, S_LAST):
        put(state, S_BACKWARDS, get(state, S_BACKWARDS) + 1)
    put(state, S_LAST, timestamp)
    if timestamp < get(state, S_EARLIEST):
        put(state, S_EARLIEST, timestamp)
    if timestamp > get(state, S_LATEST):
        put(state, S_LATEST, timestamp)
    if captured < wire:
        put(state, S_SNAPPED, get(state, S_SNAPPED) + 1)
    if (tag & 0xFF) == LINK_UNSUPPORTED:
        put(state, S_UNSUPPORTED, get(state, S_UNSUPPORTED) + 1)
    put(state, S_CAPTURED, get(state, S_CAPTURED) + captured)
    put(state, S_WIRE, get(state, S_WIRE) + wire)
    return 0


def frame_pcap(buffer: Address, position: int, end: int, frames: Address, capacity: int, state: Address) -> int:
    """Walk pcap records from `buffer + position` to `buffer + end`; at most `capacity` frames."""
    swapped = get(state, S_SWAPPED)
    scale = get(state, S_SCALE)
    header = get(state, S_HEADER)
    order = get(state, S_ORDER)
    tag = get(state, S_TAG)
    limit = get(state, S_LIMIT)
    cursor = position
    found = 0
    while found < capacity:
        if cursor + header > end:
            return stopped(found, cursor - position, STOP_END)
        record = buffer + cursor
        captured = read32(record, 8, swapped)
        wire = read32(record, 12, swapped)
        if order == LENGTHS_EXCHANGED or (order == LENGTHS_SORTED and captured > wire):
            other = captured
            captured = wire
            wire = other
        if captured > limit:
            return stopped(found, cursor - position, STOP_LENGTH)
        if cursor + header + captured > end:
            return stopped(found, cursor - position, STOP_END)
        timestamp = read32(record, 0, swapped) * SECOND + read32(record, 4, swapped) * scale
        lengths = captured | (wire << 32)
        frame = frames + found * FRAME_BYTES
        put(frame, 0, cursor + header)
        put(frame, 1, timestamp)
        put(frame, 2, lengths)
        put(frame, 3, tag)
        count_frame(state, timestamp, lengths, tag)
        cursor += header + captured
        found += 1
    return stopped(found, cursor - position, STOP_END)


def nanoseconds(row: Address, ticks: int) -> int:
    """An interface's timestamp in nanoseconds since 1970, held within 0..2**64-1: a nonsensical clock saturates."""
    shift = get(row, R_SHIFT)
    if shift:
        whole = ticks >> shift
        part = ticks & ((1 << shift) - 1)
        if shift > FINEST_SHIFT:
            part = part >> (shift - FINEST_SHIFT)
            shift = FINEST_SHIFT
        if whole > LARGEST_SECOND:
            whole = LARGEST_SECOND
        value = whole * SECOND + ((part * SECOND) >> shift)
    else:
        largest = get(row, R_LARGEST)
        if ticks > largest:
            ticks = largest
        value = (ticks * get(row, R_MULTIPLY)) // get(row, R_DIVIDE)
    earlier = get(row, R_EARLIER)
    if value < earlier:
        return 0
    return value + get(row, R_LATER) - earlier


def frame_blocks(buffer: Address, position: int, end: int, frames: Address, capacity: int, state: Address) -> int:
    """Walk pcapng packet blocks (enhanced, simple, and the old packet block) as `frame_pcap` walks records.

    A simple packet block has no time of its own: it takes that of the frame before it.
    """
    swapped = get(state, S_SWAPPED)
    interfaces = get(state, S_INTERFACES)
    cursor = position
    found = 0
    while found < capacity:
        if cursor + SHORTEST_BLOCK > end:
            return stopped(found, cursor - position, STOP_END)
        block = buffer + cursor
        kind = read32(block, 0, swapped)
        total = read32(block, 4, swapped)
        if kind != ENHANCED_PACKET_BLOCK and kind != SIMPLE_PACKET_BLOCK and kind != OLD_PACKET_BLOCK:
            return stopped(found, cursor - position, STOP_BLOCK)
        head = SIMPLE_HEAD if kind == SIMPLE_PACKET_BLOCK else PACKET_HEAD
        if total < head + 4 or (total & 3) != 0 or total > get(state, S_BLOCK_LIMIT):
            return stopped(found, cursor - position, STOP_SHAPE)
        if cursor + total > end:
            return stopped(found, cursor - position, STOP_END)
        if read32(block, total - 4, swapped) != total:
            return stopped(found, cursor - position, STOP_SHAPE)
        room = total - head - 4
        interface = 0
        if kind == ENHANCED_PACKET_BLOCK:
            interface = read32(block, 8, swapped)
        elif kind == OLD_PACKET_BLOCK:
            interface = read16(block, 8, swapped)
        if interface >= interfaces:
            return stopped(found, cursor - position, STOP_INTERFACE)
        row = state + (STATE_WORDS + interface * ROW_WORDS) * 8
        if kind == SIMPLE_PACKET_BLOCK:
            wire = read32(block, 8, swapped)
            captured = wire
            snaplen = get(row, R_SNAPLEN)
            if snaplen != 0 and captured > snaplen:
                captured = snaplen
            timestamp = get(state, S_LAST)
        else:
            captured = read32(block, 20, swapped)
            wire = read32(block, 24, swapped)
            timestamp = nanoseconds(row, (read32(block, 12, swapped) << 32) | read32(block, 16, swapped))
        if captured > get(state, S_LIMIT):
            return stopped(found, cursor - position, STOP_LENGTH)
        if captured > room:
            return stopped(found, cursor - position, STOP_SHAPE)
        lengths = captured | (wire << 32)
        tag = get(row, R_TAG)
        frame = frames + found * FRAME_BYTES
        put(frame, 0, cursor + head)
        put(frame, 1, timestamp)
        put(frame, 2, lengths)
        put(frame, 3, tag)
        count_frame(state, timestamp, lengths, tag)
        cursor += total
        found += 1
    return stopped(found, cursor - position, STOP_END)
