"""What the netdev form of the stateless stage does with every frame of a list: the stamp it leaves, or nothing if it drops it.

A veth pair; frames are sent from the far end, each followed by a marker that no rule drops.  Behind the stage stands a second
chain that reports every frame that is left, with its mark, to a log group; the marker says which frame the report is about.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Self

from tests.oracle.kernel import Namespace, packet_socket
from twinwall.live import nft
from twinwall.live.nflog import LoggedPacket, LogGroup
from twinwall.live.nft import Table

GROUP = 41
MARKER = 0x88B5  # the ethertype for local experiments
WATCH = f"""table netdev watch {{
\tchain behind {{
\t\ttype filter hook ingress devices = {{ "in0" }} priority 0; policy accept;
\t\tlog group {GROUP} snaplen 64
\t}}
}}
"""
BURST = 64  # frames before their reports are read: well below what a socket buffer holds


class FramesBench:
    """A context manager; the calling thread is in the namespace while it lasts."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            near, far = Namespace(), Namespace()
            stack.callback(near.close)
            stack.callback(far.close)
            near.run("ip", "link", "add", "in0", "type", "veth", "peer", "name", "far", "netns", str(far.holder.pid))
            for place, name in ((near, "in0"), (far, "far")):
                place.run("sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6")
                place.run("ip", "link", "set", name, "addrgenmode", "none")
                place.run("ip", "link", "set", name, "mtu", "65535", "up")
            with far.entered():
                self._far = stack.enter_context(packet_socket("far"))
            stack.enter_context(near.entered())
            near.run("nft", "-f", "-", text=WATCH)
            self._group = stack.enter_context(LogGroup(GROUP, gather=0))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def marks(self, frames: Sequence[bytes]) -> Iterator[int | None]:
        """The mark of every frame behind the stage; None if it was dropped."""
        for start in range(0, len(frames), BURST):
            burst = frames[start : start + BURST]
            for number, frame in enumerate(burst):
                self._far.send(frame)
                self._far.send(bytes(12) + MARKER.to_bytes(2) + number.to_bytes(2) + bytes(44))
            yield from self._answers(len(burst))

    def _answers(self, count: int) -> Iterator[int | None]:
        answer = None
        expected = 0
        while expected < count:
            for packet in self._packets():
                if packet.ethertype == MARKER:
                    assert int.from_bytes(packet.packet[:2]) == expected, "a marker was lost"
                    yield answer
                    answer, expected = None, expected + 1
                else:
                    answer = packet.mark

    def _packets(self) -> list[LoggedPacket]:
        logged = self._group.receive(10)
        assert logged.packets, "the frames do not arrive"
        assert not logged.lost
        return logged.packets

    def counters(self, table: Table) -> dict[str, int]:
        """The packets that every named counter of a table has seen, but the markers."""
        found = (each["counter"] for each in nft.listing(table) if "counter" in each)
        return {each["name"]: each["packets"] for each in found}
