"""A firewall and its neighbour, with an Ethernet cable between: frames that the neighbour sends come in at `fw0`."""

from __future__ import annotations

import contextlib
import re
import time
from typing import TYPE_CHECKING, Self

from tests.oracle.kernel import Namespace, packet_socket

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE = 10  # seconds after which what should happen has not


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that the kernel does in its own time."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.002)


class Wire:
    """A context manager; `send` puts frames on the cable, `marks` says with which packet marks they arrived in the stack."""

    def __init__(self, mtu: int = 1500) -> None:
        self.mtu = mtu

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self.firewall, self.outside = Namespace(), Namespace()
            stack.callback(self.firewall.close)
            stack.callback(self.outside.close)
            self.plug("fw0", "far0")
            stack.enter_context(self.firewall.entered())
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def plug(self, near: str, far: str) -> None:
        """Another cable."""
        holder = str(self.outside.holder.pid)
        self.firewall.run("ip", "link", "add", near, "type", "veth", "peer", "name", far, "netns", holder)
        for namespace, name in ((self.firewall, near), (self.outside, far)):
            namespace.run("ip", "link", "set", name, "addrgenmode", "none")
            namespace.run("ip", "link", "set", name, "mtu", str(self.mtu), "up")

    def count_marks(self, *marks: int, at: str = "fw0") -> None:
        """From now on packets are counted by mark, at the hook behind tc: all that XDP lets through."""
        lines = "".join(f"    meta mark {mark:#x} counter\n" for mark in marks)
        chain = f"  chain {at} {{\n    type filter hook ingress device {at} priority 0; policy accept;\n{lines}  }}\n"
        self.firewall.run("nft", "-f", "-", text=f"table netdev marks {{\n{chain}}}\n")

    def marks(self) -> dict[int, int]:
        """How many packets came with each mark."""
        listed = self.firewall.run("nft", "list", "table", "netdev", "marks")
        found = re.findall(r"meta mark (0x[0-9a-f]+) counter packets (\d+)", listed)
        return {int(mark, 16): int(packets) for mark, packets in found if int(packets)}

    def send(self, *frames: bytes, into: str = "far0") -> None:
        """Put frames on the cable."""
        with self.outside.entered(), packet_socket(into) as raw:
            for frame in frames:
                raw.send(frame)
