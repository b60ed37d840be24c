"""The tracker under test, as a dialogue: a packet goes in at an instant, the label comes out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from twinwall.conntrack.chains import sweep
from twinwall.conntrack.entry import ST_ASSURED, ST_SEEN_REPLY
from twinwall.conntrack.protocols.tcp import TcpState
from twinwall.conntrack.table import ConnectionTable
from twinwall.conntrack.tracker import settle, track
from twinwall.path.decode import decode
from twinwall.path.flow_state import TRACK_FRESH
from twinwall.path.layout import LINK_RAW, RECORD
from twinwall.path.primitives import Pointer
from twinwall.path.reason import CtState, Direction
from twinwall.policy.model import Tracking

SECOND = 1_000_000_000
EPOCH = 1_700_000_000 * SECOND
KEY = (0x0123456789ABCDEF, 0xFEDCBA9876543210)


class Answer(NamedTuple):
    """The tracker's word, unpacked."""

    state: CtState
    direction: Direction
    marks: int
    index: int

    def __str__(self) -> str:
        """As the kernel's oracle says it: NEW, ESTABLISHED reply, INVALID."""
        return self.state.name if self.direction is Direction.NONE else f"{self.state.name} {self.direction.name.lower()}"


class Tracked:
    """A connection table and a clock; `send` settles fresh entries as the verdict would."""

    def __init__(self, tracking: Tracking | None = None, flowbit_words: int = 0, ended: int = 1000) -> None:
        self.table = ConnectionTable(tracking or Tracking(connections=1000), flowbit_words, KEY, ended)
        self.pointer = self.table.pointer()
        self.now = EPOCH

    def wait(self, seconds: float) -> None:
        self.now += round(seconds * SECOND)

    def send(self, packet: bytes, *, dropped: bool = False) -> Answer:
        """Track one IP packet; `dropped`: the rules drop it."""
        record = np.zeros(1, RECORD)
        place = Pointer(record.view(np.uint8).data)
        start = Pointer(packet)
        end = start + len(packet)
        self.reason = decode(start, end, LINK_RAW, len(packet), place)
        word = track(self.pointer, start, end, place, self.now)
        if word & TRACK_FRESH:
            settle(self.pointer, word >> 32, 1 if dropped else 0)
        return Answer(CtState(word & 0xFF), Direction(word >> 8 & 0xFF), word & 0xFFFF0000, word >> 32)

    def says(self, packet: bytes) -> str:
        """The label of one packet, as text."""
        return str(self.send(packet))

    def sweep(self, budget: int = 1 << 30) -> int:
        return sweep(self.pointer, self.now, budget)

    def entry(self, index: int) -> np.void:
        """The entry that an answer names."""
        return self.table.entries()[index - 1]

    def living(self) -> list[np.void]:
        """The entries whose time has not come."""
        return [each for each in self.table.live() if int(each["deadline"]) > self.now]

    def only(self) -> np.void:
        """The one entry that lives."""
        (entry,) = self.living()
        return entry

    def listed(self) -> tuple[str, float, str]:
        """The one TCP entry as `conntrack -L` has it: state, seconds left, ASSURED or UNREPLIED or nothing."""
        entry = self.only()
        flags = "ASSURED" if entry["status"] & ST_ASSURED else "" if entry["status"] & ST_SEEN_REPLY else "UNREPLIED"
        return TcpState(entry["state"]).name, (int(entry["deadline"]) - self.now) / SECOND, flags
