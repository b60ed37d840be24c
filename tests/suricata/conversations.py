"""The conversations that rules are compared on: by name, each between addresses of its own.

A `Talk` is the two ends of a conversation; saying something adds a packet.  `TALKS` is the list of scripts; `capture_of` puts
the chosen ones behind each other and remembers which packet is whose.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.suricata.packets import ICMP, ICMP6, TCP, UDP, Timed, icmp, ip, tcp, udp, write_capture

STEP = 1_000  # microseconds between packets
PAUSE = 1_000_000  # between conversations
REQUEST = b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass
class Talk:
    """A client, a server, and what they said."""

    client: str
    server: str
    sport: int = 40000
    dport: int = 80
    now: int = 0
    said: list[Timed] = field(default_factory=list)
    sequence: dict[bool, int] = field(default_factory=lambda: {True: 1_000, False: 500_000})  # next, by "from the client"

    @property
    def v6(self) -> bool:
        return ":" in self.client

    def raw(self, data: bytes, after: int = STEP) -> None:
        self.now += after
        self.said.append(Timed(self.now, data))

    def wait(self, seconds: float) -> None:
        self.now += int(seconds * 1_000_000)

    def packet(self, up: bool, protocol: int, payload: bytes, **header: object) -> bytes:
        """An IP packet to the server (`up`) or to the client."""
        ends = (self.client, self.server) if up else (self.server, self.client)
        return ip(*ends, protocol, payload, **header)  # type: ignore[arg-type]

    def segment(
        self, up: bool, flags: str, data: bytes = b"", *, seq: int | None = None, ack: int | None = None, **more: object
    ):
        """A TCP segment that continues where its sender stopped, unless told otherwise."""
        header = {name: more.pop(name) for name in ("ttl", "tos", "ident", "fragment", "options") if name in more}
        if "tcp_options" in more:
            more["options"] = more.pop("tcp_options")
        number = self.sequence[up] if seq is None else seq
        acknowledged = (self.sequence[not up] if "A" in flags else 0) if ack is None else ack
        ports = (self.sport, self.dport) if up else (self.dport, self.sport)
        if seq is None:
            self.sequence[up] = number + len(data) + ("S" in flags) + ("F" in flags)
        self.raw(self.packet(up, TCP, tcp(*ports, flags, number, acknowledged, data, **more), **header))

    def up(self, flags: str, data: bytes = b"", **more: object) -> None:
        self.segment(True, flags, data, **more)

    def down(self, flags: str, data: bytes = b"", **more: object) -> None:
        self.segment(False, flags, data, **more)

    def handshake(self) -> None:
        self.up("S")
        self.down("SA")
        self.up("A")

    def exchange(self) -> None:
        self.up("PA", REQUEST)
        self.down("A")
        self.down("PA", RESPONSE)
        self.up("A")

    def close(self) -> None:
        self.up("FA")
        self.down("FA")
        self.up("A")

    def datagram(self, up: bool, data: bytes = b"x" * 20, **header: object) -> None:
        ports = (self.sport, self.dport) if up else (self.dport, self.sport)
        self.raw(self.packet(up, UDP, udp(*ports, data), **header))

    def echo(self, up: bool, ident: int = 7, seq: int = 1, data: bytes = b"p" * 32, **header: object) -> None:
        kind = (128 if up else 129) if self.v6 else (8 if up else 0)
        self.message(up, kind, 0, ident, seq, data, **header)

    def message(
        self, up: bool, kind: int, code: int, ident: int = 7, seq: int = 1, data: bytes = b"", **header: object
    ) -> None:
        self.raw(self.packet(up, ICMP6 if self.v6 else ICMP, icmp(kind, code, ident, seq, data), **header))


Script = Callable[[Talk], None]


@dataclass(frozen=True)
class Capture:
    """A file, and of each packet (from 1) the name of its conversation with the packet's place in it."""

    path: Path
    names: tuple[str, ...]

    def name(self, packet: int) -> str:
        return self.names[packet - 1]


def capture_of(path: Path, scripts: Iterable[tuple[str, Script]], families: Iterable[int] = (4, 6)) -> Capture:
    """Play the scripts, over each IP version, one behind the other."""
    said: list[Timed] = []
    names: list[str] = []
    now = 0
    scripts = list(scripts)
    for family in families:
        for number, (name, script) in enumerate(scripts, 1):
            if family == 4:
                talk = Talk(f"10.1.{number >> 8}.{number & 255}", f"192.0.2.{number & 127 | 1}", now=now)
            else:
                talk = Talk(f"2001:db8::1:{number:x}", f"2001:db9::{number:x}", now=now)
            script(talk)
            said += talk.said
            names += [f"{name}/{family}[{at}]" for at in range(1, len(talk.said) + 1)]
            now = talk.now + PAUSE
    return Capture(write_capture(path, said), tuple(names))
