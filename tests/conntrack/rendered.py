"""The tables of docs/connection-tracking.md, rendered from the data; run as a program it rewrites them in place."""

from __future__ import annotations

import re
from pathlib import Path

from twinwall.conntrack.protocols import sctp, tcp
from twinwall.path.reason import Direction
from twinwall.policy.model import Timeout

PAGE = Path(__file__).parents[2] / "docs" / "connection-tracking.md"
SIDES = {Direction.ORIGINAL: "client", Direction.REPLY: "server"}
SECTION = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def rows(header: list[str], body: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *body]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def tcp_states() -> str:
    states = [state.name for state in tuple(tcp.TcpState)[:10]]
    body = [
        [SIDES[direction], kind.name, *(cell.state.name for cell in cells)] for (direction, kind), cells in tcp.TABLE.items()
    ]
    return rows(["from", "segment", *states], body)


def tcp_reasons() -> str:
    reasons: dict[str, list[str]] = {}
    for (direction, kind), cells in tcp.TABLE.items():
        for state, cell in zip(tcp.TcpState, cells, strict=False):
            reasons.setdefault(f"{cell.reason} → {cell.state.name}", []).append(
                f"{SIDES[direction]} {kind.name} in {state.name}"
            )
    return rows(["why", "cells"], [[why, "; ".join(where)] for why, where in reasons.items()])


def sctp_states() -> str:
    states = [state.name for state in tuple(sctp.SctpState)[: sctp.STATES]]
    body = [
        [SIDES[direction], chunk.name, *(cell.state.name for cell in cells)] for (direction, chunk), cells in sctp.TABLE.items()
    ]
    return rows(["from", "chunk", *states], body)


def timeouts() -> str:
    return rows(["name", "seconds"], [[f"`{name.value[0]}`", f"{name.value[1]:,}"] for name in Timeout])


TABLES = {"tcp_states": tcp_states, "tcp_reasons": tcp_reasons, "sctp_states": sctp_states, "timeouts": timeouts}


def render(text: str) -> str:
    """The page with every table as the data has it now."""
    return SECTION.sub(lambda found: f"{found[1]}{TABLES[found[2]]()}{found[3]}", text)


if __name__ == "__main__":
    PAGE.write_text(render(PAGE.read_text()))
