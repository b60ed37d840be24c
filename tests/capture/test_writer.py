import os
import resource
import shutil
import subprocess

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.capture import forge
from tests.capture.forge import Packet
from tests.capture.reading import read
from twinwall.capture import PcapngWriter, open_captures
from twinwall.events.sink import OutputError

PACKETS = [Packet(n, n * 7, bytes([n]) * (n % 9), 100) for n in range(1, 40)]


def copy(source, target, mask=None):
    with PcapngWriter(target) as writer:
        for batch in open_captures([source]):
            writer.write(batch, None if mask is None else mask[batch.first : batch.first + len(batch.frames)])


@st.composite
def sections(draw):
    """A pcapng file of several sections, and the packets in it: (nanoseconds, data, wire length, link type, interface)."""
    data, packets = b"", []
    for _ in range(draw(st.integers(1, 2))):
        order = draw(st.sampled_from("<>"))
        data += forge.section(order)
        interfaces = []
        for _ in range(draw(st.integers(1, 3))):
            linktype = draw(st.sampled_from([0, 1, 101, 108, 113, 127, 276]))
            resolution = draw(st.sampled_from([None, 0, 3, 6, 7, 9, 12, 0x80, 0x8A, 0x94]))
            name = draw(st.sampled_from(["", "eth0", "lan0", "Wi-Fi ü"]))
            offset = draw(st.sampled_from([None, 5, -3]))
            options = forge.option(2, name.encode(), order) if name else b""
            options += b"" if resolution is None else forge.option(9, bytes([resolution]), order)
            options += (
                b""
                if offset is None
                else forge.option(14, offset.to_bytes(8, "big" if order == ">" else "little", signed=True), order)
            )
            data += forge.interface(linktype, order, options=options)
            interfaces.append((linktype, 6 if resolution is None else resolution, name, offset or 0))
        for _ in range(draw(st.integers(0, 6))):
            number = draw(st.integers(0, len(interfaces) - 1))
            linktype, resolution, name, offset = interfaces[number]
            units = 1 << (resolution & 0x7F) if resolution & 0x80 else 10**resolution
            ticks = draw(st.integers(10 * units, min(4_000_000_000 * units, 2**64 - 1)))
            content = draw(st.binary(max_size=50))
            wire = len(content) + draw(st.integers(0, 2000))
            data += forge.enhanced(ticks, content, number, order, wire) + draw(
                st.sampled_from([b"", forge.block(9, b"?", order)])
            )
            packets.append((ticks * 10**9 // units + offset * 10**9, content, wire, linktype, name))
    return data, packets


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100, deadline=None)
@given(sections(), st.data())
def test_what_was_read_is_what_is_written_and_read_again(tmp_path, file, draw):
    data, packets = file
    source, target = tmp_path / "in", tmp_path / "out"
    source.write_bytes(data)
    mask = np.array(draw.draw(st.lists(st.booleans(), min_size=len(packets), max_size=len(packets))), bool)
    for path, wanted in ((source, packets), (target, [each for each, keep in zip(packets, mask, strict=True) if keep])):
        if path == target:
            copy(source, target, mask)
        outcome = read([path])
        assert outcome.error is None
        assert [(seen.timestamp, seen.data, seen.wire, seen.linktype, seen.interface) for seen in outcome.packets] == wanted


@pytest.mark.skipif(shutil.which("tcpdump") is None, reason="tcpdump is not installed")
def test_tcpdump_reads_back_the_same_packets(tmp_path):
    source, target = tmp_path / "in.pcap", tmp_path / "out.pcapng"
    source.write_bytes(forge.pcap(PACKETS, magic=forge.NANO))
    copy(source, target)
    command = ["tcpdump", "-nn", "-e", "-tt", "--nano", "-XX", "-r"]
    listings = [
        subprocess.run([*command, path], capture_output=True, check=True, text=True).stdout for path in (source, target)
    ]
    assert listings[0]
    assert listings[0] == listings[1]


def test_pieces_of_large_batches_join_without_a_seam(tmp_path):
    source, target = tmp_path / "in.pcap", tmp_path / "out.pcapng"
    source.write_bytes(forge.pcap([Packet(n, 0, bytes([n]) * 262_144) for n in range(70)]))
    copy(source, target)
    assert [seen.data[0] for seen in read([target]).packets] == list(range(70))


def interrupted(target):
    with PcapngWriter(target):
        assert target.read_bytes() == b"older"
        raise KeyboardInterrupt


def test_nothing_is_there_before_the_end_and_nothing_stays_after_an_interruption(tmp_path):
    target = tmp_path / "out.pcapng"
    target.write_bytes(b"older")
    with pytest.raises(KeyboardInterrupt):
        interrupted(target)
    assert target.read_bytes() == b"older"
    assert os.listdir(tmp_path) == ["out.pcapng"]


def test_an_empty_file_is_a_complete_one(tmp_path):
    with PcapngWriter(tmp_path / "out.pcapng"):
        pass
    outcome = read([tmp_path / "out.pcapng"])
    assert (outcome.packets, outcome.error) == ([], None)


def test_a_full_disk_is_an_error_with_place_and_remedy_and_no_leftover(tmp_path):
    source, target = tmp_path / "in.pcap", tmp_path / "out" / "out.pcapng"
    source.write_bytes(forge.pcap([Packet(n, 0, bytes(10_000)) for n in range(20)]))
    target.parent.mkdir()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
    try:
        with pytest.raises(OutputError) as caught:
            copy(source, target)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.path == str(target)
    assert caught.value.cause == "File too large"
    assert os.listdir(target.parent) == []


def test_an_unwritable_place_is_an_error(tmp_path):
    with pytest.raises(OutputError, match="create the folder"):
        PcapngWriter(tmp_path / "nowhere" / "out.pcapng")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_a_device_is_written_to_and_never_replaced():
    with pytest.raises(OutputError, match="No space"):
        PcapngWriter("/dev/full")
    assert not os.path.isfile("/dev/full")


def test_a_symbolic_link_keeps_pointing(tmp_path):
    (tmp_path / "real.pcapng").write_bytes(b"")
    (tmp_path / "link.pcapng").symlink_to("real.pcapng")
    with PcapngWriter(tmp_path / "link.pcapng"):
        pass
    assert (tmp_path / "link.pcapng").is_symlink()
    assert (tmp_path / "real.pcapng").stat().st_size > 0


def test_a_dash_is_standard_output(capfdbinary):
    with PcapngWriter("-"):
        pass
    assert capfdbinary.readouterr().out[:4] == b"\x0a\x0d\x0d\x0a"
