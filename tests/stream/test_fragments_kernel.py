"""Linux as the oracle: a kernel in a throw-away namespace and the table get the same pieces; the same datagrams come out."""

from __future__ import annotations

import ctypes
import dataclasses
import itertools
import os
import random
import shutil
import socket
import subprocess
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path

import pytest

from tests.stream.dialogue import Dialogue, Piece

pytestmark = pytest.mark.kernel

EXPERIMENTAL = 253  # RFC 3692: a protocol that nothing but the test's raw socket reads
CLONE_NEWNET = 0x40000000
SO_RCVBUFFORCE = 33  # Python has no name for it
END = 0xFFFF  # the last conversation of a run: a datagram in one piece
DESTINATION = {4: "10.78.0.2", 6: "fd78::2:0:0"}

# Connection tracking reassembles before the stack does, and IPv6 by code of its own: that is the firewall's side.
RULES = """
table inet twinwall_test {
    chain seen {
        type filter hook prerouting priority 0;
        ct state invalid accept
    }
}
"""


def source_of(version: int, conversation: int) -> str:
    """Each conversation has a source of its own, by which the receiver knows it."""
    base = ip_address("10.77.0.0") if version == 4 else ip_address("fd78::1:0:0")
    return str(base + conversation)


def run(*command: str, text: str | None = None) -> None:
    subprocess.run(command, check=True, capture_output=True, input=text, text=True, timeout=20)


@contextmanager
def inside(namespace: str):
    """This thread in the namespace; sockets opened there stay there."""
    libc = ctypes.CDLL(None, use_errno=True)
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    try:
        if libc.setns(there, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
        yield
    finally:
        libc.setns(home, CLONE_NEWNET)
        os.close(home)
        os.close(there)


@pytest.fixture(scope="module")
def wire():
    """Two namespaces joined by a veth: a packet socket on one side, what it takes to read whole datagrams on the other."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    if not (shutil.which("ip") and shutil.which("nft")):
        pytest.skip("needs iproute2 and nftables")
    sender, receiver = (f"tw-{os.getpid()}-{side}" for side in ("tx", "rx"))
    try:
        try:
            for name in (sender, receiver):
                run("ip", "netns", "add", name)
            run("ip", "-n", sender, "link", "add", "name", "left0", "type", "veth", "peer", "name", "right0", "netns", receiver)
        except subprocess.CalledProcessError as error:
            pytest.skip(f"no namespaces or veth here: {error.stderr}")
        for name, link in ((sender, "left0"), (receiver, "right0")):
            run("ip", "-n", name, "link", "set", link, "up")
        run("ip", "-n", receiver, "link", "set", "lo", "up")
        run("ip", "-n", receiver, "addr", "add", DESTINATION[4] + "/8", "dev", "right0")
        run("ip", "-n", receiver, "addr", "add", DESTINATION[6] + "/64", "dev", "right0", "nodad")
        with inside(receiver):
            for name in ("all", "right0"):
                Path(f"/proc/sys/net/ipv4/conf/{name}/rp_filter").write_text("0")
        run("ip", "netns", "exec", receiver, "nft", "-f", "-", text=RULES)
        yield Wire(sender, receiver)
    finally:
        for name in (sender, receiver):
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True, timeout=20)


class Wire:
    """Sends pieces and collects the datagrams that the receiving kernel made of them."""

    def __init__(self, sender: str, receiver: str) -> None:
        with inside(receiver):
            address = Path("/sys/class/net/right0/address")
            mac = subprocess.run(
                ["ip", "netns", "exec", receiver, "cat", str(address)], check=True, capture_output=True, text=True, timeout=20
            ).stdout
            self.sockets = {
                4: socket.socket(socket.AF_INET, socket.SOCK_RAW, EXPERIMENTAL),
                6: socket.socket(socket.AF_INET6, socket.SOCK_RAW, EXPERIMENTAL),
            }
        for each in self.sockets.values():
            each.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 26)
        with inside(sender):
            self.out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
            self.out.bind(("left0", 0))
        self.link = bytes.fromhex(mac.strip().replace(":", "")) + b"\x02\0\0\0\0\1"

    def received(self, version: int, conversations: list[list[Piece]]) -> dict[int, list[bytes]]:
        """What comes out of each conversation: IPv4 packets whole, IPv6 payloads (a raw socket sees no more)."""
        ethertype = b"\x08\x00" if version == 4 else b"\x86\xdd"
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {min(before)})  # one processor, so that veth keeps the order
        try:
            end = Piece(0, b"end", False, source=source_of(version, END), destination=DESTINATION[version])
            for conversation in (*conversations, [plain(end)]):
                for piece in conversation:
                    packet = piece if isinstance(piece, bytes) else piece.encode()
                    self.out.send(self.link + ethertype + packet)
            return self.collect(version)
        finally:
            os.sched_setaffinity(0, before)

    def collect(self, version: int) -> dict[int, list[bytes]]:
        found: dict[int, list[bytes]] = {}
        reader = self.sockets[version]
        reader.settimeout(10)
        while True:
            data, (source, *_) = reader.recvfrom(70_000)
            conversation = int(ip_address(source)) - int(ip_address(source_of(version, 0)))
            if conversation == END:
                return found
            found.setdefault(conversation, []).append(data)


def plain(piece: Piece) -> bytes:
    """The piece as a packet that is no fragment."""
    if piece.version == 4:
        return dataclasses.replace(piece, protocol=EXPERIMENTAL).encode()
    packet = bytearray(dataclasses.replace(piece, first_header=EXPERIMENTAL).encode())
    del packet[40:48]
    packet[4:6] = (len(packet) - 40).to_bytes(2, "big")
    return bytes(packet)


def conversation_of(rng: random.Random, version: int, number: int) -> list[Piece]:
    """Up to seven pieces: mostly a proper cut in some order, with repetitions, overlaps and contradictions mixed in."""
    units = rng.randint(2, 6)
    tail = rng.randint(1, 8)
    edges = sorted({0, units, *(rng.randint(1, units) for _ in range(rng.randint(0, 3)))})
    places = [(start, 8 * (end - start), True) for start, end in itertools.pairwise(edges)] + [(units, tail, False)]
    if rng.random() < 0.5:
        rng.shuffle(places)
    for _ in range(rng.choice((0, 0, 1, 1, 2, 3))):
        start, length, more = rng.choice(places)
        start = max(0, start + rng.choice((-1, 0, 0, 1)))
        length = max(0, length + 8 * rng.choice((-1, 0, 0, 0, 1)))
        more = more if rng.random() < 0.9 else not more
        length = length // 8 * 8 if more else length
        if start == 0 and not more:
            continue  # not a fragment
        places.insert(rng.randint(0, len(places)), (start, length, more))
    tos = rng.choice((0, 0, 0, 2)) if rng.random() < 0.9 else None
    return [
        Piece(
            8 * start,
            bytes([97 + index]) * length,
            more,
            source=source_of(version, number),
            destination=DESTINATION[version],
            protocol=EXPERIMENTAL,
            tos=rng.choice((0, 1, 2, 3)) if tos is None else tos,
        )
        for index, (start, length, more) in enumerate(places)
    ]


@pytest.mark.parametrize("version", [4, 6])
def test_the_same_datagrams_come_out_of_the_kernel(wire, version):
    rng = random.Random(version)
    conversations = [conversation_of(rng, version, number) for number in range(1, 401)]
    kernel = wire.received(version, conversations)
    talk = Dialogue(datagrams=1_000)
    complete = 0
    for number, pieces in enumerate(conversations, 1):
        ours = [answer.datagram for answer in map(talk.say, pieces) if answer.outcome == "COMPLETE"]
        complete += len(ours)
        theirs = kernel.get(number, [])
        assert [each if version == 4 else each[40:] for each in ours] == theirs, [
            (piece.start // 8, len(piece.data), piece.more, piece.tos) for piece in pieces
        ]
    assert 100 < complete < 400


@pytest.mark.parametrize("version", [4, 6])
def test_the_largest_datagram_comes_out_of_the_kernel_and_one_byte_more_does_not(wire, version):
    largest = 65_535 - (20 if version == 4 else 0)
    conversations = []
    for number, length in ((1, largest), (2, largest + 1)):
        data = bytes(range(256)) * 256
        fields = {
            "source": source_of(version, 500 + number),
            "destination": DESTINATION[version],
            "protocol": EXPERIMENTAL,
        }
        edges = [*range(0, length, 1_400), length]
        conversations.append(
            [Piece(start, data[start:end], end < length, **fields) for start, end in itertools.pairwise(edges)]
        )
    kernel = wire.received(version, conversations)
    for number, pieces in enumerate(conversations, 501):
        talk = Dialogue()
        ours = [answer.datagram for answer in map(talk.say, pieces) if answer.outcome == "COMPLETE"]
        assert [each if version == 4 else each[40:] for each in ours] == kernel.get(number, [])
    assert len(kernel) == 1
