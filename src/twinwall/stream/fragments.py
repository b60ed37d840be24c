"""IP reassembly before tracking: pieces go in, whole datagrams come out, as packets that `path.decode` can decode again.

The rules are those of Linux (`nf_defrag_ipv4`, `nf_defrag_ipv6`): every piece is held until the datagram is complete, which is
then judged once.  `docs/fragments.md` says what each stage sees, the limits, and how other systems differ.

`defragment` answers a word: bits 0-7 the outcome, 8-15 the `Reason` (0: none), 32-63 the slot (0: none).  Where it names a
slot, the slot is closed and lists the packets that the answer is for (`waiting_count`, `waiting_packet`); the engine reads
what it needs and calls `release`.  An open datagram whose deadline comes is handed out by `expire` in the same way.
"""

from __future__ import annotations

from twinwall.path.primitives import Address, get, load_u64, put, store_u64
from twinwall.path.reason import Reason
from twinwall.stream.datagram import finish, is_finishable, keep_header
from twinwall.stream.layout import (
    B_PAYLOAD,
    B_WAITING,
    H_ECN,
    H_END,
    H_END_KNOWN,
    H_FILLED,
    H_FIRST,
    H_HEADER,
    H_LENGTH,
    H_SNAPPED,
    H_WAITING,
    MAX_PIECES,
    T_CAPTURED,
    T_DISCARD,
    T_ECN,
    T_KEY,
    T_LENGTH,
    T_MORE,
    T_OFFSET,
)
from twinwall.stream.piece import NOT_A_PIECE, PIECE, read_piece
from twinwall.stream.place import LOST, MET, WON, place_contested, place_exclusive
from twinwall.stream.slots import body_of, claim, close, close_oldest, expire, find, head_of, release

__all__ = [
    "BAD",
    "COMPLETE",
    "DUPLICATE",
    "EVICT",
    "HELD",
    "LIMIT",
    "OVERLAP",
    "WHOLE",
    "datagram_address",
    "datagram_length",
    "datagram_snapped",
    "defragment",
    "expire",
    "release",
    "waiting_count",
    "waiting_packet",
]

WHOLE = 0  # not a piece: the packet is its own datagram
HELD = 1  # kept; its packet waits
COMPLETE = 2  # slot: the datagram, and all packets that brought it, this one included
OVERLAP = 3  # slot: discarded, this packet included
DUPLICATE = 4  # brings nothing new; this packet alone is dropped, the datagram goes on
LIMIT = 5  # slot: too many pieces, discarded, this packet included; no slot: the table has no room at all
BAD = 6  # slot: the piece contradicts the datagram, which is discarded, this packet included; no slot: this packet alone
EVICT = 7  # slot: the oldest datagram, which must go; resolve it, release it and ask again: this packet was not looked at

BAD_FRAGMENT = int(Reason.BAD_FRAGMENT)
FRAGMENT_OVERLAP = int(Reason.FRAGMENT_OVERLAP)
FRAGMENT_LIMIT = int(Reason.FRAGMENT_LIMIT)
FRAGMENT_DUPLICATE = int(Reason.FRAGMENT_DUPLICATE)


def defragment(table: Address, packet: Address, end: Address, record: Address, packet_number: int, now: int) -> int:
    """Take in one decoded packet; see the module for the answer.  `now` is in nanoseconds; call `expire` with it before."""
    answer = read_piece(table, packet, end, record)
    if answer == NOT_A_PIECE:
        return WHOLE
    if answer != PIECE:
        return BAD | (answer << 8)
    slot = find(table, record)
    if slot == 0:
        slot = claim(table, record, now)
    if slot == 0:
        oldest = close_oldest(table)
        return ((EVICT if oldest else LIMIT) | (FRAGMENT_LIMIT << 8)) | (oldest << 32)
    return take_in(table, packet, packet_number, slot)


def take_in(table: Address, packet: Address, packet_number: int, slot: int) -> int:
    """Put the described piece into its datagram."""
    head = head_of(table, slot)
    is_v4 = get(table, T_KEY) >> 40 == 4
    if contradicts(table, head) or get(table, T_LENGTH) == 0:
        # Linux ends an IPv4 datagram here, and refuses only the piece for IPv6.
        if is_v4:
            return discard(table, packet_number, slot, BAD | (BAD_FRAGMENT << 8))
        return BAD | (BAD_FRAGMENT << 8)
    if get(head, H_WAITING) >= MAX_PIECES:
        return discard(table, packet_number, slot, LIMIT | (FRAGMENT_LIMIT << 8))
    if get(table, T_DISCARD):
        placed = place_exclusive(table, head, body_of(table, slot), packet)
    else:
        placed = place_contested(table, head, body_of(table, slot), packet)
    if placed == LOST and (get(table, T_DISCARD) or not is_complete(head)):
        return DUPLICATE | (FRAGMENT_DUPLICATE << 8)
    if placed == MET:
        return discard(table, packet_number, slot, OVERLAP | (FRAGMENT_OVERLAP << 8))
    wait(table, slot, packet_number)
    if get(table, T_CAPTURED) < get(table, T_LENGTH):
        put(head, H_SNAPPED, 1)
    put(head, H_ECN, get(head, H_ECN) | get(table, T_ECN))
    if get(table, T_OFFSET) == 0 and placed == WON:
        keep_header(table, head, body_of(table, slot), packet)
    if not is_complete(head):
        return HELD
    if not is_finishable(table, head):
        return close(table, slot) << 32 | (BAD | (BAD_FRAGMENT << 8))
    finish(head, body_of(table, slot))
    return (close(table, slot) << 32) | COMPLETE


def is_complete(head: Address) -> int:
    """1 if every byte of the datagram is there."""
    return 1 if get(head, H_FIRST) and get(head, H_END_KNOWN) and get(head, H_FILLED) == get(head, H_END) else 0


def contradicts(table: Address, head: Address) -> int:
    """1 if the piece's end does not fit what is known of the datagram's; else note what it says of it."""
    piece_end = get(table, T_OFFSET) + get(table, T_LENGTH)
    known = get(head, H_END_KNOWN)
    if get(table, T_MORE):
        if piece_end <= get(head, H_END):
            return 0
        if known:
            return 1
        put(head, H_END, piece_end)
        return 0
    if piece_end < get(head, H_END) or (known and piece_end != get(head, H_END)):
        return 1
    put(head, H_END_KNOWN, 1)
    put(head, H_END, piece_end)
    return 0


def wait(table: Address, slot: int, packet_number: int) -> int:
    """Add a packet to those that wait for the slot's datagram."""
    head = head_of(table, slot)
    waiting = get(head, H_WAITING)
    store_u64(body_of(table, slot), B_WAITING + (waiting << 3), packet_number)
    put(head, H_WAITING, waiting + 1)
    return 0


def discard(table: Address, packet_number: int, slot: int, answer: int) -> int:
    """End the datagram, this packet included; `answer` is the outcome and the reason."""
    wait(table, slot, packet_number)
    return answer | (close(table, slot) << 32)


def waiting_count(table: Address, slot: int) -> int:
    """How many packets the slot lists."""
    return get(head_of(table, slot), H_WAITING)


def waiting_packet(table: Address, slot: int, index: int) -> int:
    """The number of one of them, in the order in which they came; `index` is below `waiting_count`."""
    return load_u64(body_of(table, slot), B_WAITING + (index << 3))


def datagram_address(table: Address, slot: int) -> Address:
    """Where the complete datagram's IP header begins."""
    return body_of(table, slot) + (B_PAYLOAD - get(head_of(table, slot), H_HEADER))


def datagram_length(table: Address, slot: int) -> int:
    """How long it is, IP header included."""
    return get(head_of(table, slot), H_LENGTH)


def datagram_snapped(table: Address, slot: int) -> int:
    """1 if the capture cut one of its pieces: the bytes that are missing are zero."""
    return get(head_of(table, slot), H_SNAPPED)
