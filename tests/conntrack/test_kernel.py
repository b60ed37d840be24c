"""The tracker against the kernel, label by label: generated conversations and real captures, and the list at the end."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.conntrack.generated import CONVERSATIONS
from tests.conntrack.segments import PAIR6, Pair, checksum
from tests.conntrack.tracked import SECOND, Tracked
from tests.oracle.kernel import KernelOracle, Listed, why_unavailable
from twinwall.capture.error import CaptureError
from twinwall.capture.reader import open_captures
from twinwall.conntrack.entry import ST_ASSURED, ST_SEEN_REPLY
from twinwall.conntrack.protocols.sctp import SctpState
from twinwall.conntrack.protocols.tcp import TcpState
from twinwall.path.decode import decode
from twinwall.path.layout import MARK_FRAGMENT, RECORD
from twinwall.path.primitives import Pointer
from twinwall.policy.model import Timeout, Tracking

pytestmark = pytest.mark.kernel

CAPTURES = Path(__file__).parents[3] / "shared" / "captures"
PACKETS_PER_CAPTURE = 40
EVERY = 8  # one capture in so many
NAMES = {6: "tcp", 17: "udp", 1: "icmp", 58: "icmpv6", 132: "sctp", 47: "gre", 136: "udplite"}


@pytest.fixture(scope="module")
def kernel() -> Iterator[KernelOracle]:
    reason = why_unavailable()
    if reason:
        pytest.skip(reason)
    with KernelOracle() as oracle:
        yield oracle


def compare(kernel: KernelOracle, tracked: Tracked, packets: Iterator[bytes] | list[bytes]) -> None:
    """Send the packets to both; what does not come out of the router was dropped, and nothing is said about it."""
    story = []
    for packet in packets:
        label = kernel.label(packet)
        ours = str(tracked.send(packet, dropped=label is None))
        story.append(f"{packet.hex()} kernel: {label} tracker: {ours}")
        assert label is None or ours == " ".join(filter(None, label)), "\n".join(story)


def listing(tracked: Tracked) -> list[Listed]:
    lines = []
    for entry in tracked.living():
        name = NAMES.get(int(entry["proto"]), "unknown")
        state = {"tcp": TcpState, "sctp": SctpState}[name](entry["state"]).name if name in ("tcp", "sctp") else ""
        flags = (bool(entry["status"] & ST_ASSURED), not entry["status"] & ST_SEEN_REPLY)
        lines.append(Listed(name, (int(entry["deadline"]) - tracked.now) // SECOND, state, *flags))
    return lines


@pytest.mark.parametrize("kind", CONVERSATIONS)
def test_generated_conversations(kernel: KernelOracle, kind: str):
    for seed in range(1500 if kind == "clashing" else 150):
        kernel.flush()
        tracked = Tracked()
        compare(kernel, tracked, CONVERSATIONS[kind](random.Random(seed)))
        if seed % 10 == 0:
            theirs, ours = (
                [(each._replace(seconds=0), each.seconds) for each in lines] for lines in (kernel.listed(), listing(tracked))
            )
            assert sorted(each for each, _ in theirs) == sorted(each for each, _ in ours), seed
            for (line, left), (_, expected) in zip(sorted(theirs), sorted(ours), strict=True):
                assert expected - 2 <= left <= expected, (seed, line)


@pytest.mark.parametrize("pair", [Pair(), PAIR6], ids=["v4", "v6"])
def test_expired_entry_is_gone(kernel: KernelOracle, pair: Pair):
    """The kernel's clock cannot be moved, so its timeout is the shortest there is, and we wait on its list."""
    before = kernel.read_sysctl("net.netfilter.nf_conntrack_udp_timeout")
    kernel.flush()
    kernel.sysctl("net.netfilter.nf_conntrack_udp_timeout", 1)
    try:
        tracked = Tracked(Tracking(timeouts=((Timeout.UDP, 1),)))
        compare(kernel, tracked, [pair.udp(), pair.swapped().udp()])
        while kernel.listed():
            pass
        tracked.wait(1)
        assert tracked.says(pair.swapped().udp()) == "NEW original"
        assert kernel.label(pair.swapped().udp()) == ("NEW", "original")
    finally:
        kernel.sysctl("net.netfilter.nf_conntrack_udp_timeout", before)


def routable(path: Path) -> Iterator[bytes]:
    """The capture's whole IP packets as a router forwards them: snapped bytes as zeros, header checksum right, TTL above 1."""
    try:
        for batch in open_captures([path]):
            for frame in batch.frames:
                data = bytes(batch.buffer[int(frame["offset"]) :][: int(frame["captured_length"])])
                record = np.zeros(1, RECORD)
                start, place = Pointer(data), Pointer(record.view(np.uint8).data)
                reason = decode(start, start + len(data), int(frame["link"]), int(frame["wire_length"]), place)
                length = int(record["ip_length"][0])
                if reason or record["marks"][0] & MARK_FRAGMENT or length > 65000:
                    continue
                packet = bytearray(data[int(record["l3"][0]) :][:length].ljust(length, b"\0"))
                hops = 8 if packet[0] >> 4 == 4 else 7
                packet[hops] = max(packet[hops], 2)
                if hops == 8:
                    packet[10:12] = bytes(2)
                    packet[10:12] = struct.pack("!H", checksum(bytes(packet[: (packet[0] & 15) * 4])))
                yield bytes(packet)
    except CaptureError:
        return  # what was readable has been used


def test_real_captures(kernel: KernelOracle):
    files = [path for path in sorted(CAPTURES.rglob("*")) if path.suffix.startswith((".pcap", ".cap"))]
    if not files:
        pytest.skip("../shared/captures is missing")
    for path in files[::EVERY]:
        kernel.flush()
        packets = (packet for packet, _ in zip(routable(path), range(PACKETS_PER_CAPTURE), strict=False))
        compare(kernel, Tracked(), packets)
