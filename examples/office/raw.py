"""Send a few TCP segments that no ordinary program sends: `raw.py flood|spoof|stale`, run inside a namespace.

Bounded in number; source addresses are documentation addresses.
"""

from __future__ import annotations

import random
import socket
import struct
import sys
import time

SYN, PSH, ACK = 2, 8, 16
FLOOD = 3000  # packets
SPOOFED = 12
PAUSE = 0.0005  # seconds between two packets of the flood


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return int((total + (total >> 16)) & 0xFFFF ^ 0xFFFF)


def segment(
    source: str, target: str, ports: tuple[int, int], flags: int, *, seq: int, ack: int = 0, data: bytes = b""
) -> bytes:
    """One IPv4 packet with a TCP segment; `data` of even length."""
    ends = socket.inet_aton(source) + socket.inet_aton(target)
    tcp = struct.pack(">HHIIBBHHH", *ports, seq, ack, 5 << 4, flags, 8192, 0, 0) + data
    pseudo = ends + struct.pack(">HH", socket.IPPROTO_TCP, len(tcp))
    tcp = tcp[:16] + struct.pack(">H", checksum(pseudo + tcp)) + tcp[18:]
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(tcp), seq & 0xFFFF, 0, 64, socket.IPPROTO_TCP, 0) + ends
    return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + tcp


def flood() -> list[bytes]:
    """A SYN flood against the web server: every packet from another port of the same network."""
    dice = random.Random(1)
    web = "10.20.0.80"
    source = [f"203.0.113.{dice.randrange(16, 250)}" for _ in range(FLOOD)]
    return [segment(a, web, (dice.randrange(1024, 65535), 80), SYN, seq=dice.getrandbits(32)) for a in source]


def spoof() -> list[bytes]:
    """SYNs from a network that cannot be out there."""
    return [segment("192.0.2.66", "10.20.0.10", (40000 + n, 445), SYN, seq=n) for n in range(SPOOFED)]


def stale() -> list[bytes]:
    """Data for a connection that nobody remembers."""
    text = b"are you still there?"
    return [segment("10.20.0.10", "198.51.100.7", (50123, 80), PSH | ACK, seq=77_000, ack=99_000, data=text)]


def main() -> None:
    """Send what the command line names."""
    packets = {"flood": flood, "spoof": spoof, "stale": stale}[sys.argv[1]]()
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as out:
        for packet in packets:
            out.sendto(packet, (socket.inet_ntoa(packet[16:20]), 0))
            time.sleep(PAUSE)


if __name__ == "__main__":
    main()
