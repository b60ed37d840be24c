"""docs/enforcement-speed.md from what was measured; pure."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from bench.kernel.change import Reloads
from bench.kernel.drop import FLOOR, FORMS, OURS, SETS, Drops
from bench.kernel.forward import BY_HAND, FLOW, NEW_SIZES, NOTHING, Forwarding
from bench.kernel.forward import FORMS as WAYS
from bench.kernel.rulesets import SIZES
from bench.report import Line

HEAD = """# What enforcement costs

Written by `make bench` as root; not by hand. Everything below was measured in one run, the forms taking turns, in
network namespaces of one machine; medians over the rounds. The kernel's own XDP test run with live frames drives the
receive path, so that no sender is the limit; its own cost is in every number (the empty program shows how much).
Judge by ratios: the machine is shared and its clock is not steady. Nanoseconds are processor time of the thread that
drives the path; `apply` is measured from start to end, as a user waits for it.
"""

DROPPING = """
## Dropping a packet

Nanoseconds a packet, for a rule at the beginning, in the middle and at the end of the list, on average. Each rule
names a source network, a destination, a protocol and a port. twinwall and the empty program drop in XDP; the nft
forms at the netdev ingress hook, iptables in its raw table: each at the earliest place it has.
"""

FORWARDING = """
## Forwarding

Small UDP packets of an established flow: nanoseconds a packet through the whole receive and forward path. A *flow
rule* passes the flow by addresses and ports; a *packet rule* has a `flow` keyword and is asked for every packet, once
per direction and then by the connection mark. The stream is one TCP connection of iperf3 between two namespaces,
without segmentation offload (a native XDP program takes it from a veth, and no form shall have what the others have
not).
"""

CHANGING = """
## New connections, and changing the policy
"""

TAIL = """
## Where forwarding's nanoseconds go

Not part of the bench: found once (2026-11-25) by taking one piece away at a time; rough. Beside a hand-written ruleset of
two rules, an established packet pays for

| piece | ns |
|---|---:|
| the XDP program that decodes and judges it alone, and the tc program that hands on its stamp | 50 |
| a base chain at -450, which drops what has no stamp before the tracker sees it | 35-75 |
| at the forward hook: which interface, which stamp, and the lookup that counts by rule | 90-110 |

The first line alone is most of the five percent that were aimed at: judging every packet before the tracker is work that a
ruleset of two rules does not do. The second is the price of failing closed. The third was 250 and more before the way of a
known flow's packet became one lookup ([how](design/rendering.md#the-fast-path)).

The stream is another matter: a native XDP program on a veth makes the kernel copy every segment that a local TCP sends into
a page of its own, whatever the program does, as the row of the program that passes all shows. A network card's driver does
not do that. What twinwall itself costs is the ratio to that row.
"""


def lines(drops: Drops, forwarding: Forwarding, applied: tuple[float, float], reloads: Reloads) -> list[Line]:
    """The aims, and whether they are met."""
    most = SIZES[-1]
    against_sets = drops.median(OURS, most) / drops.median(SETS, most)
    growth = drops.median(OURS, most) / drops.median(OURS, SIZES[0])
    slower = forwarding.packet(FLOW) / forwarding.packet(BY_HAND)
    stream = forwarding.stream(FLOW) / forwarding.stream(BY_HAND)
    rate = forwarding.connection(NEW_SIZES[0]) / forwarding.connection(NEW_SIZES[-1])
    return [
        Line(f"dropping with {most:,} rules ÷ nft with one set", f"{against_sets:.2f}", "≤ 0.20", against_sets <= 0.2),
        Line(f"dropping with {most:,} rules ÷ with {SIZES[0]}", f"{growth:.2f}", "≤ 2", growth <= 2),
        Line("forwarding an established packet ÷ hand-written nft", f"{slower:.2f}", "≤ 1.05", slower <= 1.05),
        Line("a TCP stream ÷ hand-written nft", f"{stream:.2f}", "≥ 0.95", stream >= 0.95),
        Line(f"new connections a second, {NEW_SIZES[-1]:,} rules ÷ {NEW_SIZES[0]}", f"{rate:.2f}", "≥ 0.80", rate >= 0.8),
        Line("`apply` of 10,000 rules", f"{applied[0]:.1f} s", "≤ 2 s", applied[0] <= 2),
        Line("`apply` of a set of 100,000 addresses", f"{applied[1]:.1f} s", "≤ 5 s", applied[1] <= 5),
        Line("packets lost in 100 reloads", f"{reloads.lost:,} of {reloads.sent:,}", "0", reloads.lost == 0),
        Line(
            "packets wrongly passed in 100 reloads",
            f"{reloads.wrongly_passed:,} of {reloads.sent:,}",
            "0",
            reloads.wrongly_passed == 0,
        ),
    ]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    marks = ["---", *["---:"] * (len(head) - 1)]
    return ["| " + " | ".join(row) + " |" for row in (head, marks, *rows)]


def page(
    drops: Drops,
    forwarding: Forwarding,
    applied: tuple[float, float],
    reloads: Reloads,
    facts: Sequence[str],
    today: datetime.date,
) -> str:
    """The whole page."""
    aims = [
        (line.what, line.value, line.target, "met" if line.met else "**missed**")
        for line in lines(drops, forwarding, applied, reloads)
    ]
    dropping = [(form, *(f"{drops.median(form, size):,.0f}" for size in SIZES)) for form in FORMS]
    more = [
        (f"{form} above the empty program", *(f"{drops.median(form, size) - drops.median(FLOOR, size):,.0f}" for size in SIZES))
        for form in (OURS, SETS)
    ]
    ways = [
        (
            way,
            f"{forwarding.packet(way):,.0f}",
            f"{forwarding.packet(way) / forwarding.packet(NOTHING):.2f}",
            f"{forwarding.packet(way) / forwarding.packet(BY_HAND):.2f}",
            f"{forwarding.stream(way):.2f}",
        )
        for way in WAYS
    ]
    fresh = [
        (f"{size:,}", f"{forwarding.connection(size):,.0f}", f"{1e6 / forwarding.connection(size):,.0f} k/s")
        for size in NEW_SIZES
    ]
    parts = [
        HEAD,
        *(f"- {fact}" for fact in (f"Date: {today.isoformat()}", *facts)),
        "",
        *_table(("aim", "measured", "wanted", ""), aims),
        DROPPING,
        *_table(("rules", *(f"{size:,}" for size in SIZES)), [*dropping, *more]),
        FORWARDING,
        *_table(("form", "ns a packet", "÷ no firewall", "÷ hand-written", "stream, Gbit/s"), ways),
        CHANGING,
        *_table(("stateful rules", "ns for a connection's first packet", "connections"), fresh),
        "",
        "While one flow that every policy passes and one that every policy drops were sending, the policy was replaced "
        f"100 times, {reloads.seconds * 1000:.0f} ms each.",
        TAIL,
    ]
    return "\n".join(parts)
