"""What a packet costs: the time from handing a small UDP packet to the link until the firewall has dealt with it.

A packet socket sends many packets with one system call (sendmmsg); over a pair of virtual interfaces each packet goes the whole
way, through the firewall and out on its other side, before the next is sent.  So the time of all divided by their number is the
sender's cost plus the firewall's, and the difference between two firewalls is what one of them adds.  The best of several
rounds counts: whatever else the machine does makes a round slower, never faster.
"""

from __future__ import annotations

import ctypes
import ipaddress
import os
import socket
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from twinwall.lab.addresses import PEOPLE
from twinwall.lab.bare import bare
from twinwall.lab.messages import Costs, CostsMeasured, Progress
from twinwall.lab.places import Site
from twinwall.lab.policies import STATEFUL, STATELESS, bundled
from twinwall.lab.shield import shield

BURST = 1024  # packets a system call
ROUNDS, PASSES = 50, 4  # rounds each time a firewall is up, and how often each is
FAR = "203.0.113.200"  # routed outside, where nobody answers
ALLOWED_PORT, CLOSED_PORT = 53, 9
PAYLOAD = 18  # the smallest Ethernet frame
SOL_PACKET, QDISC_BYPASS = 263, 20
PATIENCE = 200_000_000  # nanoseconds in which the last packet must have left
INTERFACES = ("inside", "outside")
SENT = Path("/sys/class/net/outside/statistics/tx_packets")
SLAB = Path("/sys/kernel/slab/nf_conntrack/object_size")
VARIANTS = {"none": None, "stateless": STATELESS, "stateful": STATEFUL}
ONE, NEW, DROPPED = "of a known connection", "of a new connection", "dropped"
KINDS = (ONE, NEW, DROPPED)


def key(firewall: str, kind: str) -> str:
    """How a measurement is called; `firewall` is one of `VARIANTS`."""
    return f"{firewall}: {kind}"


class _Vector(ctypes.Structure):  # struct iovec
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Header(ctypes.Structure):  # struct msghdr
    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint32),
        ("vectors", ctypes.POINTER(_Vector)),
        ("vector_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class _Message(ctypes.Structure):  # struct mmsghdr
    _fields_ = (("header", _Header), ("sent", ctypes.c_uint32))


_libc = ctypes.CDLL(None, use_errno=True)


class Burst:
    """Frames that one system call sends."""

    def __init__(self, frames: Sequence[bytes]) -> None:
        self._bytes = [ctypes.create_string_buffer(frame, len(frame)) for frame in frames]
        self._vectors = (_Vector * len(frames))(*(_Vector(ctypes.addressof(each), len(each)) for each in self._bytes))
        self._messages = (_Message * len(frames))()
        for message, vector in zip(self._messages, self._vectors, strict=True):
            message.header.vectors, message.header.vector_count = ctypes.pointer(vector), 1

    def send(self, raw: socket.socket) -> None:
        """Send all of them.  Raises `OSError`."""
        at, rest = ctypes.addressof(self._messages), len(self._messages)
        while rest:
            sent = _libc.sendmmsg(raw.fileno(), ctypes.c_void_p(at), rest, 0)
            if sent < 0:
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
            at, rest = at + sent * ctypes.sizeof(_Message), rest - sent


def frame(gateway: bytes, source_port: int, port: int, source: str = PEOPLE.host) -> bytes:
    """A small UDP packet from the inside to far away."""
    ends = ipaddress.IPv4Address(source).packed + ipaddress.IPv4Address(FAR).packed
    udp = struct.pack(">HHHH", source_port, port, 8 + PAYLOAD, 0) + bytes(PAYLOAD)
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, socket.IPPROTO_UDP, 0) + ends
    total = sum(struct.unpack(">10H", head))
    total = (total & 0xFFFF) + (total >> 16)
    return gateway + bytes(6) + b"\x08\x00" + head[:10] + struct.pack(">H", total ^ 0xFFFF) + head[12:] + udp


def measure(task: Costs, folder: Path, answer: Callable[[object], None]) -> CostsMeasured:
    """Nanoseconds a packet by firewall and kind of packet."""
    site = Site(*INTERFACES)
    gateway = bytes.fromhex(Path("/sys/class/net", INTERFACES[0], "address").read_text().strip().replace(":", ""))
    with site.inside.entered():
        raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    raw.bind(("eth0", 0))
    raw.setsockopt(SOL_PACKET, QDISC_BYPASS, 1)
    best: dict[str, float] = {}
    sources = _sources()
    for turn in range(PASSES):
        for name, path in VARIANTS.items():
            answer(Progress(task.name, f"{name}, {turn + 1} of {PASSES}"))
            with _firewall(path, folder, privileged=task.privileged):
                for kind, nanoseconds in _rounds(raw, gateway, sources):
                    cell = key(name, kind)
                    best[cell] = min(nanoseconds, best.get(cell, nanoseconds))
    size = int(SLAB.read_text()) if os.access(SLAB, os.R_OK) else None
    return CostsMeasured(best, size)


def _firewall(path: Path | None, folder: Path, *, privileged: bool) -> AbstractContextManager[object]:
    if path is not None:
        return shield(bundled(path), folder)
    return bare(INTERFACES) if privileged else nullcontext()


def _sources() -> Iterator[str]:
    """Hosts of the inside that have not talked yet."""
    return (str(ipaddress.IPv4Address("10.20.1.0") + number) for number in range(1 << 14))


def _rounds(raw: socket.socket, gateway: bytes, sources: Iterator[str]) -> Iterator[tuple[str, float]]:
    """Each kind of packet, often and briefly, to meet a quiet moment.  A round that lost packets does not count."""
    one_flow = Burst([frame(gateway, 40000, ALLOWED_PORT)] * BURST)
    refused = Burst([frame(gateway, 40000, CLOSED_PORT)] * BURST)
    for _ in range(ROUNDS):
        source = next(sources)
        fresh = Burst([frame(gateway, port, ALLOWED_PORT, source) for port in range(BURST, 2 * BURST)])
        for kind, burst, arrive in ((ONE, one_flow, True), (NEW, fresh, True), (DROPPED, refused, False)):
            taken = _time(raw, burst, arrive=arrive)
            if taken is not None:
                yield kind, taken


def _time(raw: socket.socket, burst: Burst, *, arrive: bool) -> float | None:
    """Nanoseconds a packet, until the last has left the firewall if they `arrive`; None if some were lost."""
    goal = _left() + BURST
    start = time.perf_counter_ns()
    burst.send(raw)
    limit = start + PATIENCE
    while arrive and _left() < goal:
        if time.perf_counter_ns() > limit:
            return None
    return (time.perf_counter_ns() - start) / BURST


def _left() -> int:
    """How many packets have left the firewall to the outside."""
    return int(SENT.read_text())
