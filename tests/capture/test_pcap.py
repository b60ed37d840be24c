import struct

import pytest

from tests.capture import forge
from tests.capture.forge import MICRO, MODIFIED, NANO, Packet
from tests.capture.reading import read_bytes
from twinwall.path.layout import LINK_ETHERNET, LINK_RAW, LINK_UNSUPPORTED

PACKETS = [Packet(1_700_000_000, 5, b"one"), Packet(1_700_000_001, 999_999, b"second", 1500), Packet(1_700_000_002, 0, b"")]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("magic", "scale"), [(MICRO, 1000), (NANO, 1), (MODIFIED, 1000)])
def test_every_variant_gives_the_same_packets(tmp_path, order, magic, scale):
    outcome = read_bytes(tmp_path, forge.pcap(PACKETS, order, magic))
    assert outcome.error is None
    assert [(seen.timestamp, seen.data, seen.wire) for seen in outcome.packets] == [
        (packet.seconds * 10**9 + packet.fraction * scale, packet.data, packet.wire_length) for packet in PACKETS
    ]


def test_fcs_bits_are_not_part_of_the_link_type(tmp_path):
    outcome = read_bytes(tmp_path, forge.pcap(PACKETS, linktype=0x24000001))
    assert {seen.link for seen in outcome.packets} == {LINK_ETHERNET}


def test_an_unknown_link_type_is_a_property_of_frames_not_an_error(tmp_path):
    outcome = read_bytes(tmp_path, forge.pcap(PACKETS, linktype=127))
    assert outcome.error is None
    assert {(seen.link, seen.linktype) for seen in outcome.packets} == {(LINK_UNSUPPORTED, 127)}
    assert outcome.summary.totals.unsupported == 3
    assert outcome.summary.unsupported == {127}


@pytest.mark.parametrize("linktype", [12, 14, 101, 228, 229])
def test_raw_ip_has_several_numbers(tmp_path, linktype):
    assert read_bytes(tmp_path, forge.pcap(PACKETS, linktype=linktype)).packets[0].link == LINK_RAW


@pytest.mark.parametrize(("version", "exchanged"), [((2, 4), False), ((2, 3), True), ((2, 2), True), ((543, 0), True)])
def test_old_versions_wrote_the_lengths_the_other_way_round(tmp_path, version, exchanged):
    lengths = (90, 3) if exchanged else (3, 90)
    data = forge.pcap_header(version=version) + struct.pack("<IIII", 1, 2, *lengths) + b"abc"
    seen = read_bytes(tmp_path, data).packets[0]
    assert (seen.data, seen.wire) == (b"abc", 90)


def test_the_longest_packet_is_read_and_a_longer_one_is_an_error_at_its_offset(tmp_path):
    longest = Packet(1, 0, bytes(262_144))
    good = forge.pcap([longest, Packet(2, 0, bytes(65_535))])
    outcome = read_bytes(tmp_path, good + forge.pcap_record(Packet(3, 0, bytes(262_145))))
    assert [len(seen.data) for seen in outcome.packets] == [262_144, 65_535]
    assert outcome.error is not None
    assert outcome.error.offset == len(good)
    assert "262144" in outcome.error.cause


def test_time_that_runs_backwards_is_kept_and_counted(tmp_path):
    outcome = read_bytes(tmp_path, forge.pcap([Packet(5, 0, b""), Packet(3, 0, b""), Packet(4, 0, b""), Packet(1, 0, b"")]))
    assert [seen.timestamp // 10**9 for seen in outcome.packets] == [5, 3, 4, 1]
    totals = outcome.summary.totals
    assert (totals.backwards, totals.earliest, totals.latest) == (2, 10**9, 5 * 10**9)


def test_every_truncation_gives_the_readable_prefix_and_an_error(tmp_path):
    whole = forge.pcap(PACKETS)
    ends = [24, 24 + 19, 24 + 19 + 22, len(whole)]
    for length in range(1, len(whole)):
        outcome = read_bytes(tmp_path, whole[:length])
        complete = sum(1 for end in ends[1:] if end <= length)
        assert [seen.data for seen in outcome.packets] == [packet.data for packet in PACKETS[:complete]]
        assert (outcome.error is None) == (length in ends), length
        if outcome.error is not None:
            assert "ends inside" in outcome.error.cause
