"""What goes into the firewall and what comes out of it, seen from the far ends of its links.

Not from the firewall itself: XDP drops packets before the firewall's own taps see them.
"""

from __future__ import annotations

import select
import socket
import struct
import threading
import time
from typing import NamedTuple, Self

from twinwall.lab.places import Site

ETH_P_ALL, ETH_P_IP, ETH_P_IPV6 = 3, 0x0800, 0x86DD
SOL_PACKET, PACKET_STATISTICS, SO_TIMESTAMPNS, SO_RCVBUFFORCE = 263, 6, 35, 33
OUTGOING = 4  # PACKET_OUTGOING: sent by this host, towards the firewall
BUFFER = 1 << 25
LONGEST = 65600
QUIET, LATEST = 0.08, 2.0  # seconds without a packet after which a row is over; and the longest wait for that


class Seen(NamedTuple):
    """One IP packet in its Ethernet frame on one of the two links; `entering`: on its way into the firewall."""

    time: int  # nanoseconds since 1970
    side: str
    entering: bool
    frame: bytes


class Tap:
    """Records both links.  A context manager."""

    def __init__(self, site: Site) -> None:
        self.seen: list[Seen] = []
        self._sockets: dict[int, tuple[socket.socket, str]] = {}
        for side in ("inside", "outside"):
            with site.place(side).entered():
                raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
            raw.bind(("eth0", ETH_P_ALL))
            _grow(raw)
            raw.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            self._sockets[raw.fileno()] = (raw, side)
        self._ended = threading.Event()
        self._last = time.monotonic()
        self._thread = threading.Thread(target=self._record, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        for raw, _side in self._sockets.values():
            raw.close()

    def settle(self) -> None:
        """Wait until nothing moves on the links."""
        limit = time.monotonic() + LATEST
        while (now := time.monotonic()) < limit and now - self._last < QUIET:
            time.sleep(QUIET / 4)

    def grows_by(self, count: int, patience: float) -> bool:
        """Wait until `count` more packets have been seen; False if they do not come."""
        goal, limit = len(self.seen) + count, time.monotonic() + patience
        while len(self.seen) < goal and time.monotonic() < limit:
            time.sleep(0.02)
        return len(self.seen) >= goal

    def lost(self) -> int:
        """How many packets the kernel could not hand to the taps since the last call."""
        answers = [raw.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8) for raw, _ in self._sockets.values()]
        return sum(int(struct.unpack("II", answer)[1]) for answer in answers)

    def _record(self) -> None:
        poll = select.poll()
        for number in self._sockets:
            poll.register(number, select.POLLIN)
        while not self._ended.is_set():
            for number, _ in poll.poll(50):
                self._drain(*self._sockets[number])

    def _drain(self, raw: socket.socket, side: str) -> None:
        while True:
            try:
                frame, ancillary, _, sender = raw.recvmsg(LONGEST, 64, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            if sender[1] in (ETH_P_IP, ETH_P_IPV6):
                seconds, nanoseconds = struct.unpack("=qq", ancillary[0][2][:16])
                self.seen.append(Seen(seconds * 1_000_000_000 + nanoseconds, side, sender[2] == OUTGOING, frame))
                self._last = time.monotonic()


def _grow(raw: socket.socket) -> None:
    """Room for a burst: beyond the system's bound where that is allowed."""
    try:
        raw.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
    except PermissionError:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
