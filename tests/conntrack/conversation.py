"""Conversations as text, the vectors of the tracker: who sends what, what it is called, what the entry is then.

    # what it is about
    catches: the mistake that this vector finds
    set: tcp_loose 0
    c S 100 -                    NEW original        SYN_SENT 120 UNREPLIED
    s SA 500 101                 ESTABLISHED reply   SYN_RECV 60
    c A 101 501 size=10          ESTABLISHED original

A line is: sender (c: the client, who sends first; s: the server), TCP flags, sequence number, acknowledgement (- for none), any
of size= window= options=, the label, and optionally the entry after it: state, seconds, ASSURED or UNREPLIED; or `no entry`.

The vectors of flows (`Flows.LINUX`) also say which packets the policy drops (drop=1), and behind the label, `established` where
rules are told that the flow is.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from tests.conntrack.segments import SACK_PERMITTED, WSCALE_7, Pair

FOLDER = Path(__file__).parents[2] / "vectors" / "conntrack"
FLOWS = FOLDER.parent / "flows"
OPTIONS = {"wscale": WSCALE_7, "sack": SACK_PERMITTED}
LABEL = r"(?P<label>(?:NEW|ESTABLISHED|RELATED|INVALID)(?: original| reply)?)"
STEP = re.compile(
    r"^(?P<who>[cs]) (?P<flags>[A-Z]+|none) (?P<seq>\d+) (?P<ack>\d+|-)(?P<more>( \w+=\S+)*)"
    rf"\s+{LABEL}(?P<established> established)?\s*(?P<entry>.*)$"
)
ENTRY = re.compile(r"^(?P<state>[A-Z_0-9]+) (?P<seconds>\d+)(?: (?P<flag>ASSURED|UNREPLIED))?$")
NO_ENTRY = "no entry"


class Listing(NamedTuple):
    """What the connection list says: state, seconds, ASSURED or UNREPLIED or nothing."""

    state: str
    seconds: int
    flag: str


class Step(NamedTuple):
    """One packet, its label, and what the list says after it: None where the vector does not, `NO_ENTRY` for nothing."""

    line: int
    packet: bytes
    label: str
    entry: Listing | str | None
    dropped: bool
    established: bool


class Conversation(NamedTuple):
    """One vector."""

    name: str
    catches: str
    settings: dict[str, int]
    steps: tuple[Step, ...]


def parse(name: str, text: str, pair: Pair) -> Conversation:
    """Read a vector; a line that is not understood is an error."""
    catches, settings, steps = "", {}, []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith("catches:"):
            catches = line[8:].strip()
        elif line.startswith("set:"):
            setting, value = line[4:].split()
            settings[setting] = int(value)
        else:
            steps.append(parse_step(number, line, pair))
    assert catches, f"{name}: no `catches:` line"
    assert steps, f"{name}: no packets"
    return Conversation(name, catches, settings, tuple(steps))


def parse_step(number: int, line: str, pair: Pair) -> Step:
    match = STEP.match(line)
    assert match, f"line {number}: {line}"
    more = dict(item.split("=") for item in match["more"].split())
    options = b"".join(OPTIONS[name] for name in more.pop("options", "").split("+") if name)
    dropped, established = bool(int(more.pop("drop", "0"))), bool(match["established"])
    numbers = {name: int(value) for name, value in more.items()}
    flags = "" if match["flags"] == "none" else match["flags"]
    ack = 0 if match["ack"] == "-" else int(match["ack"])
    sender = pair if match["who"] == "c" else pair.swapped()
    packet = sender.tcp(flags, int(match["seq"]), ack, options=options, **numbers)
    entry = match["entry"].strip()
    if not entry or entry == NO_ENTRY:
        return Step(number, packet, match["label"], entry or None, dropped, established)
    listing = ENTRY.match(entry)
    assert listing, f"line {number}: {line}"
    left = Listing(listing["state"], int(listing["seconds"]), listing["flag"] or "")
    return Step(number, packet, match["label"], left, dropped, established)


def conversations(pair: Pair, folder: Path = FOLDER) -> list[Conversation]:
    """Every vector of a folder, between these ends."""
    return [parse(path.stem, path.read_text(), pair) for path in sorted(folder.glob("*.conversation"))]
