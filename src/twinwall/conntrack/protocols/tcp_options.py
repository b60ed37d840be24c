"""The TCP options that connection tracking needs: window scale, SACK permitted, and the highest SACK edge.

RFC 7323 section 2 and RFC 2018.  A malformed option ends the reading; what stood before it counts.  Options beyond the
captured bytes are as if absent.
"""

from __future__ import annotations

from twinwall.conntrack.protocols.sequence import after
from twinwall.conntrack.protocols.tcp_flags import FLAG_SACK_PERM, FLAG_WINDOW_SCALE
from twinwall.path.primitives import Address, load_u8
from twinwall.path.wire import be32

KIND_END, KIND_NOP, KIND_WINDOW_SCALE, KIND_SACK_PERMITTED, KIND_SACK = 0, 1, 3, 4, 5
MAX_SCALE = 14
OPTION_BYTES = 40
ALIGNED_TIMESTAMP = 0x0101080A  # NOP, NOP, timestamp of 10 bytes: what nearly every segment carries


def syn_options(start: Address, stop: Address) -> int:
    """What a SYN's options between `start` and `stop` offer: scale in bits 0-7, FLAG_* in bits 8-15."""
    scale = 0
    flags = 0
    at = 0
    size = stop - start
    while at < size:
        kind = load_u8(start, at)
        length = 1
        if kind != KIND_NOP:
            if kind == KIND_END or at + 2 > size:
                return scale | (flags << 8)
            length = load_u8(start, at + 1)
            if length < 2 or at + length > size:
                return scale | (flags << 8)
            if kind == KIND_SACK_PERMITTED and length == 2:
                flags = flags | FLAG_SACK_PERM
            if kind == KIND_WINDOW_SCALE and length == 3:
                scale = load_u8(start, at + 2)
                if scale > MAX_SCALE:
                    scale = MAX_SCALE
                flags = flags | FLAG_WINDOW_SCALE
        at = at + length
    return scale | (flags << 8)


def highest_sack(start: Address, stop: Address, ack: int) -> int:
    """The highest right edge among `ack` and the first SACK option's blocks between `start` and `stop`."""
    size = stop - start
    if size == 12:
        if be32(start, 0) == ALIGNED_TIMESTAMP:
            return ack
    highest = ack
    at = 0
    while at < size:
        kind = load_u8(start, at)
        length = 1
        if kind != KIND_NOP:
            if kind == KIND_END or at + 2 > size:
                return highest
            length = load_u8(start, at + 1)
            if length < 2 or at + length > size:
                return highest
            if kind == KIND_SACK and length >= 10 and ((length - 2) & 7) == 0:
                block = at + 2
                while block + 8 <= at + length:
                    edge = be32(start, block + 4)
                    if after(edge, highest) != 0:
                        highest = edge
                    block = block + 8
                return highest
        at = at + length
    return highest
