"""The bench's capture: deterministic, of the promised shape, and correct down to the checksums."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from bench import generate
from bench.conversations import SECOND

RECORD = struct.Struct("<IIII")


def frames_of(path: Path) -> list[tuple[float, bytes]]:
    data = path.read_bytes()
    assert struct.unpack_from("<IHHIIII", data) == (0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    frames, at = [], 24
    while at < len(data):
        seconds, micro, captured, wire = RECORD.unpack_from(data, at)
        assert captured == wire
        frames.append((seconds + micro / 1e6, data[at + 16 : at + 16 + captured]))
        at += 16 + captured
    return frames


def checksum(data: bytes) -> int:
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bench") / "small.pcap"
    assert generate.write(path, packets=6000, flows=500) == 6000
    return path


def test_the_same_capture_every_time(small: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.pcap"
    generate.write(again, packets=6000, flows=500)
    assert again.read_bytes() == small.read_bytes()


def test_packets_stand_in_time_order_and_are_as_many_as_asked(small: Path) -> None:
    times = [time for time, _ in frames_of(small)]
    assert len(times) == 6000
    assert times == sorted(times)


def test_every_checksum_is_right(small: Path) -> None:
    kinds = set()
    for _, frame in frames_of(small):
        packet = frame[14:]
        six = frame[12:14] == b"\x86\xdd"
        protocol = packet[6] if six else packet[9]
        addresses, body = (packet[8:40], packet[40:]) if six else (packet[12:20], packet[20:])
        kinds.add((protocol, six))
        if not six:
            assert checksum(packet[:20]) == 0
        pseudo = b"" if protocol == 1 else addresses + struct.pack(">II", len(body), protocol)
        assert checksum(pseudo + body) in (0, 0xFFFF)
    assert kinds == {(6, False), (17, False), (1, False), (6, True), (17, True), (58, True)}


def test_acknowledgements_follow_what_the_peer_sent(small: Path) -> None:
    """Each acknowledgement number is the peer's next sequence number: the window check of a tracker finds nothing."""
    sent: dict[bytes, int] = {}
    checked = 0
    for _, frame in frames_of(small):
        if frame[12:14] != b"\x08\x00" or frame[23] != 6:
            continue
        source, target, ports = frame[26:30], frame[30:34], frame[34:38]
        mine, peer = source + target + ports, target + source + ports[2:] + ports[:2]
        seq, ack, offset, flags = struct.unpack_from(">IIBB", frame, 38)
        length = len(frame) - 34 - 4 * (offset >> 4)
        if flags & 16:
            assert ack == sent[peer]
            checked += 1
        if flags & 2 == 0:
            assert seq == sent[mine]
        sent[mine] = (seq + length + bool(flags & 3)) & 0xFFFFFFFF
    assert checked > 1000


def test_a_longer_capture_has_as_many_flows_alive(tmp_path: Path) -> None:
    """Flows whose last packet lies less than two minutes back, at the end of one wave and of four."""

    def alive(times: int) -> int:
        last: dict[tuple[int, ...], int] = {}
        now = 0
        for part in generate.waves(times, 24_000, 2_000):
            now = int(part.time[-1])
            rows = zip(part.client.tolist(), part.server.tolist(), part.client_port.tolist(), part.time.tolist(), strict=True)
            last.update({row[:3]: row[3] for row in rows})
        return sum(time > now - 120 * SECOND for time in last.values())

    assert alive(4) == pytest.approx(alive(1), rel=0.1)


def test_waves_lose_no_packet() -> None:
    parts = list(generate.waves(3, 12_000, 1_000))
    assert sum(map(len, parts)) == 36_000
    times = np.concatenate([part.time for part in parts])
    assert (np.diff(times) >= 0).all()


def test_too_few_packets_for_the_flows_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot have as few"):
        list(generate.waves(1, 600, 500))
