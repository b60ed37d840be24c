"""SipHash-1-3, keyed: an attacker who cannot read the key cannot aim packets at one chain of the table.

J.-P. Aumasson, D. J. Bernstein: SipHash: a fast short-input PRF (2012), with 1 compression and 3 finalisation rounds, the
variant that Linux and CPython use for their tables.  The message is a whole number of 64-bit words.
"""

from __future__ import annotations

from twinwall.path.primitives import Address, get

MASK64 = 0xFFFFFFFFFFFFFFFF
FINAL_ROUNDS = 3


def siphash13(key0: int, key1: int, message: Address, words: int) -> int:
    """The 64-bit hash of `words` words at `message` under the key."""
    v0 = key0 ^ 0x736F6D6570736575
    v1 = key1 ^ 0x646F72616E646F6D
    v2 = key0 ^ 0x6C7967656E657261
    v3 = key1 ^ 0x7465646279746573
    step = 0
    last = words + FINAL_ROUNDS
    while step <= last:
        word = 0
        if step < words:
            word = get(message, step)
        elif step == words:
            word = (words << 59) & MASK64  # the message's length in bytes, modulo 256, in the last byte
        else:
            if step == words + 1:
                v2 = v2 ^ 0xFF
        v3 = v3 ^ word
        v0 = (v0 + v1) & MASK64
        v1 = (((v1 << 13) & MASK64) | (v1 >> 51)) ^ v0
        v0 = ((v0 << 32) & MASK64) | (v0 >> 32)
        v2 = (v2 + v3) & MASK64
        v3 = (((v3 << 16) & MASK64) | (v3 >> 48)) ^ v2
        v0 = (v0 + v3) & MASK64
        v3 = (((v3 << 21) & MASK64) | (v3 >> 43)) ^ v0
        v2 = (v2 + v1) & MASK64
        v1 = (((v1 << 17) & MASK64) | (v1 >> 47)) ^ v2
        v2 = ((v2 << 32) & MASK64) | (v2 >> 32)
        v0 = v0 ^ word
        step = step + 1
    return v0 ^ v1 ^ v2 ^ v3
