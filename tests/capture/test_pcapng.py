import struct

import pytest

from tests.capture import forge
from tests.capture.reading import read_bytes
from twinwall.path.layout import LINK_ETHERNET, LINK_RAW

SECOND = 10**9


def named(name: str, order: str = "<") -> bytes:
    return forge.option(2, name.encode(), order)


@pytest.mark.parametrize("order", ["<", ">"])
def test_enhanced_simple_and_old_blocks(tmp_path, order):
    data = (
        forge.section(order)
        + forge.interface(1, order)
        + forge.enhanced(1_000_000, b"abcde", order=order, wire=60)
        + forge.simple(b"fg", order)
        + forge.old_packet(2_000_000, b"hij", order=order)
    )
    outcome = read_bytes(tmp_path, data)
    assert outcome.error is None
    assert [(seen.timestamp, seen.data, seen.wire) for seen in outcome.packets] == [
        (SECOND, b"abcde", 60),
        (SECOND, b"fg", 2),  # no time of its own
        (2 * SECOND, b"hij", 3),
    ]
    assert outcome.summary.totals.snapped == 1


def test_interfaces_keep_name_link_type_and_clock(tmp_path):
    data = (
        forge.section()
        + forge.interface(1, options=named("lan0"))
        + forge.interface(101, options=named("wan0") + forge.option(9, b"\x09"))
        + forge.enhanced(3_000_000, b"a", 0)
        + forge.enhanced(3 * SECOND + 7, b"b", 1)
    )
    first, second = read_bytes(tmp_path, data).packets
    assert (first.interface, first.link, first.timestamp) == ("lan0", LINK_ETHERNET, 3 * SECOND)
    assert (second.interface, second.link, second.timestamp) == ("wan0", LINK_RAW, 3 * SECOND + 7)


def test_a_new_section_may_turn_the_byte_order_and_forgets_interfaces(tmp_path):
    data = (
        forge.section("<") + forge.interface(1, options=named("a")) + forge.enhanced(1_000_000, b"x")
        + forge.section(">") + forge.interface(101, ">", options=named("b", ">")) + forge.enhanced(2_000_000, b"y", 0, ">")
    )  # fmt: skip
    outcome = read_bytes(tmp_path, data)
    assert [(seen.interface, seen.data, seen.timestamp) for seen in outcome.packets] == [
        ("a", b"x", SECOND),
        ("b", b"y", 2 * SECOND),
    ]
    again = read_bytes(tmp_path, data + forge.section() + forge.enhanced(1, b"z"))
    assert len(again.packets) == 2
    assert "does not describe" in again.error.cause


def test_unknown_blocks_of_any_size_are_skipped_and_do_not_split_batches(tmp_path):
    head = forge.section() + forge.interface()
    noise = forge.block(0x0BAD, bytes(100)) + forge.block(5, b"")
    data = head + b"".join(forge.enhanced(n, b"p") + noise for n in range(50))
    outcome = read_bytes(tmp_path, data)
    assert outcome.batches == [50]
    huge = head + forge.enhanced(1, b"a") + forge.block(0x0BAD, bytes(9 << 20)) + forge.enhanced(2, b"b")
    assert [seen.data for seen in read_bytes(tmp_path, huge).packets] == [b"a", b"b"]


def test_a_simple_block_is_cut_at_the_first_interface_s_snap_length(tmp_path):
    data = forge.section() + forge.interface(snaplen=3) + forge.simple(b"abc", wire=100)
    seen = read_bytes(tmp_path, data).packets[0]
    assert (seen.data, seen.wire) == (b"abc", 100)


GOOD = forge.section() + forge.interface() + forge.enhanced(1, b"good")
BROKEN = {
    "undeclared interface": forge.enhanced(2, b"x", number=1),
    "trailing length differs": forge.enhanced(2, b"x")[:-4] + struct.pack("<I", 40),
    "unknown block's trailing length differs": forge.block(99, b"abcd")[:-4] + struct.pack("<I", 40),
    "length no multiple of 4": struct.pack("<II", 6, 37) + bytes(40),
    "length below the minimum": struct.pack("<II", 6, 28) + bytes(16) + struct.pack("<II", 0, 28),
    "length zero": struct.pack("<II", 77, 0) + bytes(40),
    "captured more than the block holds": forge.block(6, struct.pack("<IIIII", 0, 0, 1, 50, 50) + bytes(4)),
    "captured absurdly much": forge.block(6, struct.pack("<IIIII", 0, 0, 1, 300_000, 300_000) + bytes(300_000)),
    "block of gigabytes": struct.pack("<II", 6, 0xFFFFFFFC) + bytes(40),
    "section of gigabytes": struct.pack("<III", 0x0A0D0D0A, 0x7FFFFFFC, 0x1A2B3C4D) + bytes(40),
    "section without a byte order": struct.pack("<III", 0x0A0D0D0A, 28, 0x01020304) + bytes(40),
    "section too short": forge.block(0x0A0D0D0A, struct.pack("<IHH", 0x1A2B3C4D, 1, 0)),
    "version 2": forge.section(major=2),
    "interface too short": forge.block(1, bytes(4)),
    "option beyond the block": forge.interface(options=struct.pack("<HH", 2, 400)),
    "clock option of two bytes": forge.interface(options=forge.option(9, b"ab")),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_block_ends_the_reading_at_its_offset(tmp_path, name):
    outcome = read_bytes(tmp_path, GOOD + BROKEN[name] + forge.enhanced(3, b"never reached"))
    assert [seen.data for seen in outcome.packets] == [b"good"]
    assert outcome.error is not None
    assert outcome.error.offset == len(GOOD)
    assert outcome.error.remedy


def test_a_simple_block_without_any_interface_is_an_error(tmp_path):
    outcome = read_bytes(tmp_path, forge.section() + forge.simple(b"x"))
    assert outcome.packets == []
    assert "does not describe" in outcome.error.cause


def test_every_truncation_gives_the_readable_prefix_and_an_error(tmp_path):
    blocks = [forge.section(), forge.interface(), forge.enhanced(1, b"a"), forge.block(99, b"zz"), forge.enhanced(2, b"bcdef")]
    whole = b"".join(blocks)
    ends = [sum(map(len, blocks[: count + 1])) for count in range(len(blocks))]
    for length in range(1, len(whole)):
        outcome = read_bytes(tmp_path, whole[:length])
        assert len(outcome.packets) == (ends[2] <= length)
        assert (outcome.error is None) == (length in ends), length


def test_more_names_than_numbers_leave_the_rest_unnamed(tmp_path):
    data = forge.section() + b"".join(forge.interface(options=named(f"if{n}")) for n in range(300))
    data += forge.enhanced(1, b"a", 254) + forge.enhanced(1, b"b", 255)
    assert [seen.interface for seen in read_bytes(tmp_path, data).packets] == ["if254", ""]
