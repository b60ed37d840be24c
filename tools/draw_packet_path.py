"""Draw docs/figures/packet-path.svg: a packet's way through the hooks, with what twinwall does at each.

    python tools/draw_packet_path.py

The boxes are data; the page docs/enforcement.md tells the same in words.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from html import escape
from pathlib import Path

TARGET = Path(__file__).resolve().parent.parent / "docs" / "figures" / "packet-path.svg"
WIDTH, ROW, GAP, TOP, LEFT, BOX = 900, 62, 26, 60, 30, 470
NOTE_AT = LEFT + BOX + 40
FONT = "font-family='DejaVu Sans, Helvetica, Arial, sans-serif'"


@dataclass(frozen=True)
class Step:
    """One box: where in the kernel, what happens there, and what can end a packet's way there (empty: nothing)."""

    place: str
    does: str
    ends: str
    ours: bool = True


STEPS = (
    Step(
        "XDP, on each attached interface",
        "the stateless stage: decode, judge, count, stamp",
        "drop: a stateless rule, malformed",
    ),
    Step("tc ingress", "moves the stamp from the packet's metadata into its mark", ""),
    Step(
        "prerouting, priority -450",
        "reads the stamp; pass: notrack; forward: go on",
        "drop: not judged, or by another policy only",
    ),
    Step("prerouting, priority -400", "the kernel puts fragments together", "overlapping or incomplete datagrams", ours=False),
    Step(
        "prerouting, priority -200", "the kernel tracks the connection and labels the packet", "the table is full", ours=False
    ),
    Step("prerouting -100 / routing", "port forwarding, then the kernel's route", "no route", ours=False),
    Step(
        "forward 0 (host: input, output)",
        "the stateful stage: flow's verdict, rules, defaults",
        "drop or reject, with the rule's number",
    ),
    Step("forward +1", "what an inspect rule matched goes to the inspector (NFQUEUE)", "nobody answers: on_inspection_failure"),
    Step("forward +2", "the inspector's decision is written on the connection", "drop or reject"),
    Step("postrouting 100", "source NAT; the kernel confirms the connection", ""),
)


def _text(x: int, y: int, size: int, words: str, *, weight: str = "normal", colour: str = "#1a1a1a") -> str:
    return f"<text x='{x}' y='{y}' font-size='{size}' font-weight='{weight}' fill='{colour}' {FONT}>{escape(words)}</text>"


def _box(number: int, step: Step) -> list[str]:
    y = TOP + number * (ROW + GAP)
    fill, edge = ("#e8f1fb", "#2f6db3") if step.ours else ("#f2f2f2", "#8c8c8c")
    parts = [
        f"<rect x='{LEFT}' y='{y}' width='{BOX}' height='{ROW}' rx='7' fill='{fill}' stroke='{edge}' stroke-width='1.5'/>",
        _text(LEFT + 14, y + 25, 15, step.place, weight="bold"),
        _text(LEFT + 14, y + 47, 13, step.does),
    ]
    if number + 1 < len(STEPS):
        middle, below = LEFT + BOX // 2, y + ROW
        parts.append(
            f"<path d='M{middle} {below} V{below + GAP - 2}' stroke='#1a1a1a' stroke-width='1.5' marker-end='url(#tip)'/>"
        )
    if step.ends:
        line = f"M{LEFT + BOX} {y + ROW // 2} H{NOTE_AT - 8}"
        parts.append(f"<path d='{line}' stroke='#b3362f' stroke-width='1.5' marker-end='url(#stop)'/>")
        parts.append(_text(NOTE_AT, y + ROW // 2 + 5, 13, step.ends, colour="#8f2a24"))
    return parts


def drawing() -> str:
    """The figure as SVG."""
    height = TOP + len(STEPS) * (ROW + GAP) + 10
    tip = (
        "<marker id='{name}' markerWidth='9' markerHeight='9' refX='7' refY='4' orient='auto'>"
        "<path d='M0 0 L8 4 L0 8 z' fill='{fill}'/></marker>"
    )
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{WIDTH}' height='{height}' viewBox='0 0 {WIDTH} {height}' role='img'>",
        "<title>A packet's way through a gateway, and what twinwall does at each hook</title>",
        f"<rect width='{WIDTH}' height='{height}' fill='white'/>",
        "<defs>" + tip.format(name="tip", fill="#1a1a1a") + tip.format(name="stop", fill="#b3362f") + "</defs>",
        _text(LEFT, 34, 15, "blue: twinwall's; grey: the kernel's own; red: where a packet's way can end"),
    ]
    for number, step in enumerate(STEPS):
        parts += _box(number, step)
    return "\n".join([*parts, "</svg>", ""])


def main() -> int:
    """Write the figure."""
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(drawing())
    return 0


if __name__ == "__main__":
    sys.exit(main())
