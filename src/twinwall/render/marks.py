"""What twinwall's bits in packet marks (`meta mark`) and connection marks (`ct mark`) mean.

Three parties write them: the XDP stage (through its tc program), the nftables ruleset, and the inspector.  Everybody takes the
layout from here, and docs/enforcement.md is held to it by a test.

A packet's mark is twinwall's from the moment it comes in until its verdict; its life has two halves:

1. *Stamp*: the stateless stage leaves its action.  Two policies can be stamped at once, because while one replaces the other
   both judge every packet, and the nftables transaction alone decides whose judgement counts (docs/design/enforcement.md).
   The first chain of the ruleset (prerouting, before defragmentation) consumes the stamp.
2. *Decision*: a lookup in a rule map writes what the matching rule says.
"""

from __future__ import annotations

from enum import IntEnum

# The packet mark, first half: two slots of two bits.  A policy's slot is the parity of its generation.
STAMP_SHIFTS = (28, 30)
STAMP_MASK = 3
STAMPS = 0xF0000000


class Stamp(IntEnum):
    """What the stateless stage said; NONE: it has not seen the packet, which is then dropped."""

    NONE = 0
    PASS = 1
    DROP = 2
    FORWARD = 3


# After the stamp was consumed: the stateless stage passed the packet, and the stateful stage is not asked.
STATELESS_PASS = 1 << 27

# The same in bridge mode: the stateful stage has to judge the packet, and has not yet.
BRIDGED = 1 << 28

# The whole mark of a packet that a host rejects.  The kernel writes it on its answer (`net.ipv4.fwmark_reflect`), which goes
# out for it without being judged.  Nothing that passes has it: not a stamp, no rule's word, nobody's fwmark by accident.
REJECTED = 1 << 29 | 0x7717

# The packet mark, second half: what the rule that matched says.
RULE_NUMBER = 0x000FFFFF  # place in CompiledPolicy.stateful.rules + 1; 0: no rule
ACTION_SHIFT = 20
ACTION_MASK = 7 << ACTION_SHIFT
SCOPE_FLOW = 1 << 23  # the verdict covers the flow
REPORTS = 1 << 24  # the match is logged
FAST = 1 << 25  # what this rule passes of an established connection was reported by no rule before it: no need to ask again
LAST = 1 << 26  # nothing behind this rule can matter to a packet that it drops


class RuleAction(IntEnum):
    """Bits 20-22 of a packet's mark."""

    NONE = 0
    PASS = 1
    DROP = 2
    REJECT = 3
    ALERT = 4
    INSPECT = 5


# The connection mark.
CT_RULE = 0x000FFFFF  # the rule that CT_PASS, CT_DROP, CT_FAST_ORIGINAL and CT_FAST_REPLY speak of, as in RULE_NUMBER
CT_PASS = 1 << 20  # the flow was passed
CT_DROP = 1 << 21  # the flow was dropped or rejected
CT_FAST_ORIGINAL = 1 << 22  # established packets of the original direction are passed by CT_RULE, or by no rule if it is 0
CT_FAST_REPLY = 1 << 23  # the same for the reply direction
CT_FAST_REPLY_NO_RULE = 1 << 24  # established packets of the reply direction pass because no rule decides
CT_ESTABLISHED = 1 << 25  # the rule language's notion, for TCP, of what comes after the packets seen so far
CT_HALF_OPEN = 1 << 26  # TCP: the SYN was answered
CT_SEEN_ORIGINAL = 1 << 27  # the original direction's IP-only rules were asked
CT_SEEN_REPLY = 1 << 28  # the reply direction's were
CT_GENERATION_SHIFT = 29
CT_GENERATION = 7 << CT_GENERATION_SHIFT  # the policy that wrote the mark, 1-7; 0: none of ours has seen the connection
GENERATIONS = 7


def slot(generation: int) -> int:
    """The stamp slot of a generation: 0 or 1."""
    return generation & 1


def next_generation(generation: int, kept: frozenset[int] = frozenset()) -> int:
    """The number of the policy after `generation` (0: none yet): the other slot, and none of the `kept` ones.

    Raises `ValueError` if every number of the other slot is kept.
    """
    for step in range(1, 2 * GENERATIONS + 2):
        found = (generation + step - 1) % GENERATIONS + 1
        if slot(found) != slot(generation) and found not in kept and found != generation:
            return found
    raise ValueError("connections of too many earlier policies are kept alive")
