"""The memory of fragment reassembly: a table header, one tag and one head for each slot, then the slots' bodies.

    header | tags: a word a slot | heads: 256 bytes a slot | bodies: BODY_BYTES a slot

A slot is one datagram under reassembly.  Its tag is a digest of its key, so that finding a datagram reads one array from end
to end; its head says how far the datagram is; its body holds the bytes.  Bodies are touched when a slot is first used, so
the operating system gives pages only for as many datagrams as were ever under way at once.
"""

from __future__ import annotations

UNIT = 8  # fragment offsets count in units of 8 bytes
MAX_DATAGRAM = 65_535
MAX_UNITS = 8_192
MAX_PIECES = 2_048  # pieces of one datagram; at IPv4's least MTU of 68 bytes the largest datagram has 1,366
HEADER_ROOM = 2_048  # the IP header and, for IPv6, the extension headers before the fragment header

# Words of the table header.
T_SLOTS = 0
T_HEADS = 1  # where the heads begin, in bytes from the start of the table
T_BODIES = 2  # where the bodies begin
T_DISCARD = 3  # 1: any overlap discards the datagram
T_WINS = 4  # stream.overlap: when a new piece wins over an older one
T_TIMEOUT_V4, T_TIMEOUT_V6 = 5, 6  # nanoseconds
T_EARLIEST = 7  # no open datagram's deadline is before this instant
T_ORDER = 8  # datagrams ever opened
# What `stream.piece.read_piece` found in the packet at hand.
T_PLACE = 16  # where the piece's bytes begin, from the start of the frame
T_LENGTH = 17  # how many they are, as the packet claims
T_CAPTURED = 18  # how many of them the capture holds
T_OFFSET = 19  # where they belong in the datagram's payload, in bytes
T_MORE = 20  # 1: not the last piece
T_HEADER = 21  # length of what stands before the payload: the IPv4 header, or IPv6's unfragmentable part
T_NEXT_AT = 22  # IPv6: where, in that part, the byte stands that announces the fragment header
T_NEXT = 23  # IPv6: the protocol that the fragment header announces
T_KEY = 24  # id:32 proto:8 version:8; proto is 0 for IPv6, whose key does not have it
T_ECN = 25  # 1 << the two ECN bits
TABLE_WORDS = 32
TABLE_BYTES = 256

TAG_FREE = 0
TAG_CLOSED = 2  # answered, waiting for `release`; open slots have odd tags

# Words of a head.
H_SRC_HI, H_SRC_LO, H_DST_HI, H_DST_LO, H_KEY = 0, 1, 2, 3, 4
H_DEADLINE = 5  # nanoseconds since 1970
H_ORDER = 6  # the value of T_ORDER when the datagram was opened
H_END = 7  # the highest end of any piece, in bytes of payload
H_END_KNOWN = 8  # 1: the last piece came, H_END is the payload's length
H_FIRST = 9  # 1: the first piece came
H_FILLED = 10  # bytes of payload that are there
H_OWNERS = 11  # owners given out: pieces, or runs under DISCARD
H_WAITING = 12  # packets that wait for the datagram
H_TAIL = 13  # where the stored bytes end
H_TAIL_RUN = 14  # the owner of the last of them
H_HEADER = 15  # as T_HEADER, of the first piece
H_NEXT_AT = 16
H_NEXT = 17
H_ECN = 18  # all the pieces' T_ECN together
H_SNAPPED = 19  # 1: the capture cut a piece; the missing bytes are zero
H_LENGTH = 20  # the whole datagram's length, once it is complete
HEAD_BYTES = 256

# A body: packet numbers, pieces, the owner of each unit, then the datagram; its payload begins at B_PAYLOAD.
B_WAITING = 0
B_PIECES = B_WAITING + 8 * (MAX_PIECES + 1)  # one more: the packet that is too many is listed too
B_OWNERS = B_PIECES + 8 * (MAX_PIECES + 2)  # owners count from 1
B_PAYLOAD = B_OWNERS + 2 * MAX_UNITS + HEADER_ROOM
BODY_BYTES = (B_PAYLOAD + MAX_DATAGRAM + 7) & ~7
