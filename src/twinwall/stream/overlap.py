"""Which piece's bytes win where two pieces of a datagram overlap: the rules of the hosts, as data.

Systems differ, and an attacker who knows that shows the firewall one datagram and the host another.  The rules are those of
Novak, "Target-Based Fragmentation Reassembly" (2005), after Shankar and Paxson; Suricata and Snort have them under these names.
Each rule looks at nothing but how the new piece lies to the older one: whether it starts before, with or after it, and
whether it ends before, with or after it.  So a rule is nine answers.  The byte's present owner is the older piece.

`Overlap.DISCARD`, Linux's rule since 2018 (and IPv6's, RFC 5722), has no winners: any overlap ends the datagram.
"""

from __future__ import annotations

from enum import IntEnum

from twinwall.policy.model import Overlap


class Lies(IntEnum):
    """Where the new piece's start (or end) lies, seen from the older piece's."""

    BEFORE = 0
    SAME = 1
    AFTER = 2


ALL = (Lies.BEFORE, Lies.SAME, Lies.AFTER)

# The starts and the ends at which the new piece wins.
NEW_WINS: dict[Overlap, tuple[tuple[Lies, ...], tuple[Lies, ...]]] = {
    Overlap.DISCARD: ((), ()),
    Overlap.FIRST: ((), ()),
    Overlap.LAST: (ALL, ALL),
    Overlap.BSD: ((Lies.BEFORE,), ALL),
    Overlap.BSD_RIGHT: ((Lies.SAME, Lies.AFTER), ALL),
    Overlap.LINUX: ((Lies.BEFORE, Lies.SAME), ALL),
    Overlap.WINDOWS: ((Lies.BEFORE,), (Lies.AFTER,)),
    Overlap.SOLARIS: ((Lies.BEFORE,), (Lies.SAME, Lies.AFTER)),
}


def wins_word(overlap: Overlap) -> int:
    """The policy as one word: bit `3 * start + end` is set where the new piece wins."""
    starts, ends = NEW_WINS[overlap]
    return sum(1 << (3 * start + end) for start in starts for end in ends)


def lies(new: int, old: int) -> int:
    """`Lies` of two positions (packet path)."""
    if new < old:
        return 0
    return 1 if new == old else 2


def new_wins(wins: int, new: int, old: int) -> int:
    """1 if the new piece wins; `new` and `old` are start:32 end:32 of the pieces (packet path)."""
    start = lies(new & 0xFFFFFFFF, old & 0xFFFFFFFF)
    return (wins >> (3 * start + lies(new >> 32, old >> 32))) & 1
