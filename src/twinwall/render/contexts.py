"""A packet's place in its flow, and the chains that find it and write what the packet teaches about the flow.

A place is a number as `compile.contexts` counts them: direction (2 and 3: of no flow), 4 if the rule language calls the flow
established, 8 if the direction's IP-only rules have not been asked.  Each place has its own walk; places with equal walks
share it, and what tells them apart is then not asked.
"""

from __future__ import annotations

from collections.abc import Mapping

from twinwall.path.layout import TCP
from twinwall.render.chains import Chains
from twinwall.render.marks import (
    CT_ESTABLISHED,
    CT_GENERATION,
    CT_GENERATION_SHIFT,
    CT_HALF_OPEN,
    CT_SEEN_ORIGINAL,
    CT_SEEN_REPLY,
)

NO_FLOW, ESTABLISHED, DUE = 2, 4, 8
SIDES = ("original", "reply", "no_flow", "no_flow_answer")
PLACES = (0, 1, 4, 5, 8, 9, 12, 13, NO_FLOW | DUE, NO_FLOW | DUE | 1)
EVERY_PLACE = sum(1 << place for place in PLACES)
SEEN = (CT_SEEN_ORIGINAL, CT_SEEN_REPLY)
HANDSHAKE_FLAGS = "tcp flags & (fin | syn | rst | ack)"


def place_name(place: int) -> str:
    """What a place is called in chain names."""
    return (
        SIDES[place & 3]
        + ("_established" if place & ESTABLISHED else "")
        + ("_due" if place & DUE and not place & NO_FLOW else "")
    )


def render_places(chains: Chains, walks: Mapping[int, str]) -> str:
    """The chain that sends a packet to the walk of its place; `walks` names them all."""
    sides = [_side(chains, walks, side) for side in (0, 1)]
    lines = ["meta mark set 0x00000000"]
    if sides[0] == sides[1]:
        lines.append(f"ct direction original goto {sides[0]}")
        lines.append(f"ct direction reply goto {sides[1]}")
    else:
        lines.append(f"ct direction vmap {{ original : goto {sides[0]}, reply : goto {sides[1]} }}")
    alone, answer = walks[NO_FLOW | DUE], walks[NO_FLOW | DUE | 1]
    if alone != answer:
        lines.append(f"{HANDSHAKE_FLAGS} == syn | ack goto {answer}")
    return chains.add("place", [*lines, f"goto {alone}"])


def _side(chains: Chains, walks: Mapping[int, str], side: int) -> str:
    """The chain that tells the places of one direction apart."""
    opening, established = (_due(chains, walks, side | state) for state in (0, ESTABLISHED))
    if opening == established:
        return opening
    lines = [
        f"ct mark & {CT_ESTABLISHED:#010x} != 0x0 goto {established}",
        f"ct original protocol != {TCP} ct status seen-reply goto {established}",
    ]
    if side == 0:  # the handshake's last ACK, if it carries data
        last = f"ct mark & {CT_HALF_OPEN:#010x} != 0x0 {HANDSHAKE_FLAGS} == ack @ih,0,8 0-255"
        lines.append(f"{last} goto {established}")
    return chains.share(f"place_{SIDES[side]}", [*lines, f"goto {opening}"])


def _due(chains: Chains, walks: Mapping[int, str], place: int) -> str:
    asked, due = walks[place], walks[place | DUE]
    if asked == due:
        return asked
    lines = [f"ct mark & {SEEN[place & 1]:#010x} == 0x0 goto {due}", f"goto {asked}"]
    return chains.share(f"place_{place_name(place)}", lines)


def render_learning(chains: Chains, generation: int, *, due: bool = False) -> None:
    """What a packet of a flow teaches about it, whatever its verdict: `learn_original`, `learn_reply`.

    Both stand behind the choice of the packet's place: what is learned is about the packets to come.

    `due`: some rule is asked once for each direction.  That it was asked is written behind the walk (`learn_seen`), and only of
    a flow without a verdict: the kernel reads and writes a mark in two steps, and another processor's packet of the
    same flow may put back what it read.  A verdict that is lost this way must not leave the flow as one that has been asked.
    """
    established = f"ct mark set ct mark | {CT_ESTABLISHED:#010x}"
    picked_up = f"ct state new ct mark & {CT_GENERATION:#010x} == 0x0 tcp flags & (syn | rst) == 0x0 {established}"
    for side in (0, 1):
        number = generation << CT_GENERATION_SHIFT
        for name, bits in (("", number | SEEN[side]), *((("_due", number),) if due else ())):
            new = f"ct mark & {bits:#010x} != {bits:#010x} ct mark set ct mark | {bits:#010x}"
            lines = [new, f"meta l4proto {TCP} goto learn_tcp"]
            chains.add(f"learn_{SIDES[side]}{name}", lines if side else [picked_up, *lines])
    if due:
        mine, theirs = (f"ct direction {SIDES[side]} ct mark set ct mark | {SEEN[side]:#010x}" for side in (0, 1))
        chains.add("learn_seen", [f"{mine} return", theirs])
    chains.add(
        "learn_tcp",
        [
            f"ct mark & {CT_ESTABLISHED:#010x} != 0x0 return",
            f"ct status assured {established} return",
            f"{HANDSHAKE_FLAGS} == syn | ack ct mark set ct mark | {CT_HALF_OPEN:#010x} return",
            f"ct mark & {CT_HALF_OPEN:#010x} != 0x0 tcp flags & (fin | rst) != 0x0 {established}",
        ],
    )
