"""SipHash-1-3, keyed: an attacker who cannot read the key cannot aim packets at one chain of the table.

J.-P. Aumasson, D. J. Bernstein: SipHash: a fast short-input PRF (2012), with 1 compression and 3 finalisation rounds, the
variant that Linux and CPython use for their tables.  Tuples make messages of two lengths, so those are the two it takes.
"""

from __future__ import annotations

MASK64 = 0xFFFFFFFFFFFFFFFF
LONG, SHORT = 5, 2  # words of a message
ROUNDS = LONG + 1 + 3  # each word of the longer message, the length, the end
FINAL = LONG + 1  # the first round of the end


def siphash13(key0: int, key1: int, words: int, one: int, two: int, three: int, four: int, five: int) -> int:
    """The 64-bit hash, under the key, of the message `one` to `five`, or for `words` == `SHORT` of `four` and `five` alone.

    The words are arguments and the number of rounds is constant, so that the compiled form has neither loop nor memory.
    """
    v0 = key0 ^ 0x736F6D6570736575
    v1 = key1 ^ 0x646F72616E646F6D
    v2 = key0 ^ 0x6C7967656E657261
    v3 = key1 ^ 0x7465646279746573
    last = (words << 59) & MASK64  # the message's length in bytes, modulo 256, in the last byte
    for step in range(ROUNDS):
        word = one
        one = two
        two = three
        three = four
        four = five
        five = last
        last = 0
        if step >= LONG - SHORT or words == LONG:
            if step == FINAL:
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
    return v0 ^ v1 ^ v2 ^ v3
