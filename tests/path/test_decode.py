"""Decoding, byte by byte: every link type, every header on the way, and of every flaw the smallest packet that has it."""

from __future__ import annotations

import random
import struct
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.packets import ethernet, extension, fragment_header, frames, icmp, ipv4, ipv6, tcp, udp
from tests.path.decoding import decoded
from twinwall.path.layout import (
    FRAG_DONT,
    FRAG_MORE,
    LINK_ETHERNET,
    LINK_LOOP,
    LINK_NULL,
    LINK_RAW,
    LINK_SLL,
    LINK_SLL2,
    LINK_UNSUPPORTED,
    MARK_FRAGMENT,
    MARK_IP,
    MARK_LATER_FRAGMENT,
    MARK_PORTS,
    MARK_SNAPPED,
    MARK_TRANSPORT,
    TCP,
    UDP,
)
from twinwall.path.reason import Reason
from twinwall.path.trace import TraceEvent

V4, V6 = 0x0800, 0x86DD
SHORT = Reason.TRUNCATED_TRANSPORT
NOTHING = 253  # a protocol without a header that is read
SOURCE4, DESTINATION4 = bytes([192, 0, 2, 1]), bytes([198, 51, 100, 254])
SOURCE6, DESTINATION6 = bytes.fromhex("20010db8aaaa00010203040506070809"), bytes.fromhex("20010db8bbbb0002fffefdfcfbfaf9f8")
SEGMENT = tcp(1024, 443, 0x18, b"hello")
PLAIN4, PLAIN6 = ipv4(SEGMENT, TCP), ipv6(SEGMENT, TCP)
WHOLE = {V4: PLAIN4, V6: PLAIN6}


def link_header(link: int, ethertype: int) -> bytes:
    kind = struct.pack(">H", ethertype)
    family = 2 if ethertype == V4 else 30
    return {
        LINK_ETHERNET: bytes(12) + kind,
        LINK_RAW: b"",
        LINK_SLL: bytes(14) + kind,
        LINK_SLL2: kind + bytes(18),
        LINK_NULL: struct.pack("<I", family),
        LINK_LOOP: struct.pack(">I", family),
    }[link]


LINKS = (LINK_ETHERNET, LINK_RAW, LINK_SLL, LINK_SLL2, LINK_NULL, LINK_LOOP)
TAGGED = (LINK_ETHERNET, LINK_SLL, LINK_SLL2)


def tagged(link: int, *tags: tuple[int, int]) -> bytes:
    """An IPv4 packet behind VLAN tags (TPID, TCI), outermost first."""
    kinds = [kind for kind, _ in tags] + [V4]
    head = link_header(link, kinds[0])
    return head + b"".join(struct.pack(">HH", tci, kind) for (_, tci), kind in zip(tags, kinds[1:], strict=True)) + PLAIN4


# Link headers.


@pytest.mark.parametrize("ethertype", [V4, V6])
@pytest.mark.parametrize("link", LINKS)
def test_ip_is_found_behind_every_link_header(link, ethertype):
    head = link_header(link, ethertype)
    found = decoded(head + WHOLE[ethertype], link)
    assert (found.reason, found["l3"], found["link"], found["ethertype"]) == (0, len(head), link, ethertype)
    assert (found["sport"], found["dport"], found["version"]) == (1024, 443, 4 if ethertype == V4 else 6)
    assert found["marks"] == MARK_IP | MARK_PORTS | MARK_TRANSPORT


@pytest.mark.parametrize("link", LINKS)
def test_a_link_header_one_byte_short_is_truncated(link):
    head = link_header(link, V4) or b"\x45"
    assert decoded(head[:-1], link).reason == Reason.TRUNCATED_LINK
    assert decoded(head, link).reason == Reason.TRUNCATED_IP
    assert decoded(head[:-1], link, wire_length=100).reason == Reason.SNAPPED


@pytest.mark.parametrize("link", [LINK_UNSUPPORTED, 7, 255])
@pytest.mark.parametrize("frame", [b"", PLAIN4], ids=["empty", "ip"])
def test_an_unknown_link_type_is_said(link, frame):
    assert decoded(frame, link).reason == Reason.UNSUPPORTED_LINK


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("family", [10, 24, 28, 30])
def test_every_system_s_number_for_ipv6_is_known_in_both_byte_orders(order, family):
    for link in (LINK_NULL, LINK_LOOP):
        assert decoded(struct.pack(f"{order}I", family) + PLAIN6, link)["version"] == 6
        assert decoded(struct.pack(f"{order}I", 3) + PLAIN4, link).reason == Reason.NOT_IP


@pytest.mark.parametrize("ethertype", [0x0806, 0x88CC, 0x0026, 0x8864])
@pytest.mark.parametrize("link", TAGGED)
def test_what_is_not_ip_keeps_its_ethertype(link, ethertype):
    found = decoded(link_header(link, ethertype) + bytes(40), link)
    assert (found.reason, found["ethertype"], found["marks"]) == (Reason.NOT_IP, ethertype, 0)


@pytest.mark.parametrize("count", range(5))
@pytest.mark.parametrize("link", TAGGED)
def test_up_to_four_vlan_tags_are_stepped_over_and_the_outermost_counts(link, count):
    tags = [((0x88A8, 0x8100, 0x9100)[n % 3], 0xE000 | 100 + n) for n in range(count)]
    found = decoded(tagged(link, *tags), link)
    assert (found.reason, found["vlan_count"], found["vlan"]) == (0, count, 100 if count else 0)
    assert found["l3"] == len(link_header(link, V4)) + 4 * count
    assert found["dport"] == 443


def test_a_fifth_vlan_tag_is_not_looked_behind_and_does_not_pass_unjudged():
    found = decoded(tagged(LINK_ETHERNET, *[(0x8100, 9)] * 5), LINK_ETHERNET)
    assert (found.reason, found["ethertype"], found["vlan_count"]) == (Reason.TOO_MANY_TAGS, 0x8100, 4)


@pytest.mark.parametrize("tags", [1, 2, 4])
@pytest.mark.parametrize("missing", [1, 4])
def test_a_cut_vlan_tag_is_a_cut_link_header(tags, missing):
    head = tagged(LINK_ETHERNET, *[(0x8100, 9)] * tags)[: 14 + 4 * tags]
    assert decoded(head[:-missing], LINK_ETHERNET).reason == Reason.TRUNCATED_LINK
    assert decoded(head, LINK_ETHERNET).reason == Reason.TRUNCATED_IP


# IPv4.


def test_the_fields_of_an_ipv4_header():
    found = decoded(ipv4(SEGMENT, TCP, SOURCE4, DESTINATION4, ttl=17, tos=0xB8, ident=0xBEEF, frag=0x4000))
    assert (found["src_hi"], found["src_lo"]) == (0, int.from_bytes(SOURCE4))
    assert (found["dst_hi"], found["dst_lo"]) == (0, int.from_bytes(DESTINATION4))
    assert (found["ttl"], found["tos"], found["ip_id"], found["frag"]) == (17, 0xB8, 0xBEEF, FRAG_DONT)
    assert (found["proto"], found["ip_length"], found["l4"], found["payload"]) == (TCP, 45, 20, 40)
    assert (found["payload_length"], found["wire_length"], found["captured_length"]) == (5, 45, 45)


@pytest.mark.parametrize("words", range(11))
def test_ipv4_options_move_the_transport_header(words):
    found = decoded(ipv4(SEGMENT, TCP, options=b"\x01" * (4 * words)))
    assert (found.reason, found["l4"], found["dport"], found["payload_length"]) == (0, 20 + 4 * words, 443, 5)


@pytest.mark.parametrize("size", [1, 19])
def test_an_ipv4_header_one_byte_short(size):
    assert decoded(PLAIN4[:size]).reason == Reason.TRUNCATED_IP
    assert decoded(PLAIN4[:size], wire_length=45).reason == Reason.SNAPPED


def test_the_smallest_whole_ipv4_packet():
    found = decoded(ipv4(b"", NOTHING))
    assert (found.reason, found["ip_length"], found["payload_length"]) == (0, 20, 0)


def test_ipv4_options_that_the_capture_cut():
    packet = ipv4(b"", NOTHING, options=b"\x01" * 8)
    assert decoded(packet[:27], wire_length=28).reason == Reason.SNAPPED
    assert decoded(packet).reason == 0


@pytest.mark.parametrize("version", [0, 3, 5, 6, 15])
def test_an_ipv4_header_of_another_version(version):
    assert decoded(ethernet(bytes([version << 4 | 5]) + PLAIN4[1:], V4), LINK_ETHERNET).reason == Reason.BAD_IP_VERSION


@pytest.mark.parametrize("version", [0, 3, 5, 7, 15])
def test_a_raw_packet_of_no_version_we_know(version):
    assert decoded(bytes([version << 4 | 5]) + PLAIN4[1:]).reason == Reason.BAD_IP_VERSION


@pytest.mark.parametrize(("words", "reason"), [(0, Reason.BAD_IP_HEADER_LENGTH), (4, Reason.BAD_IP_HEADER_LENGTH), (5, 0)])
def test_the_shortest_ipv4_header(words, reason):
    assert decoded(bytes([0x40 | words]) + ipv4(bytes(8), NOTHING)[1:]).reason == reason


@pytest.mark.parametrize(
    ("total", "reason"),
    [(0, Reason.BAD_IP_TOTAL_LENGTH), (23, Reason.BAD_IP_TOTAL_LENGTH), (24, 0), (34, 0), (35, Reason.BAD_IP_TOTAL_LENGTH)],
)
def test_the_ipv4_length_lies_between_header_and_frame(total, reason):
    packet = bytearray(ipv4(bytes(10), NOTHING, options=bytes(4)))
    packet[2:4] = struct.pack(">H", total)
    found = decoded(bytes(packet))
    assert found.reason == reason
    if not reason:
        assert (found["ip_length"], found["payload_length"]) == (total, total - 24)


@pytest.mark.parametrize("packet", [PLAIN4, PLAIN6], ids=["v4", "v6"])
def test_padding_behind_the_packet_does_not_count(packet):
    found = decoded(packet + bytes(13))
    assert (found.reason, found["payload_length"], found["ip_length"]) == (0, 5, len(packet))


# Fragments.


@pytest.mark.parametrize("frag", [0, 0x4000, 0x8000, 0xC000])
def test_flags_alone_make_no_fragment(frag):
    found = decoded(ipv4(SEGMENT, TCP, frag=frag))
    assert (found["marks"] & MARK_FRAGMENT, found["frag"], found["dport"]) == (0, frag, 443)


def test_the_first_piece_has_its_transport_header():
    found = decoded(ipv4(SEGMENT, TCP, frag=FRAG_MORE))
    assert found["marks"] == MARK_IP | MARK_FRAGMENT | MARK_PORTS | MARK_TRANSPORT
    assert (found.reason, found["dport"]) == (0, 443)


@pytest.mark.parametrize("frag", [1, 1 | FRAG_MORE, 0x1FFF])
def test_a_later_piece_has_no_transport_header(frag):
    found = decoded(ipv4(SEGMENT[:7], TCP, frag=frag))
    assert found["marks"] == MARK_IP | MARK_FRAGMENT | MARK_LATER_FRAGMENT
    assert (found.reason, found["dport"], found["frag"], found["l4"], found["payload_length"]) == (0, 0, frag, 20, 7)


@pytest.mark.parametrize(
    "piece", [b"", SEGMENT[:8], SEGMENT[:12] + b"\x10" + SEGMENT[13:]], ids=["empty", "short", "bad length"]
)
def test_what_the_first_piece_lacks_may_come_with_the_next(piece):
    found = decoded(ipv4(piece, TCP, frag=FRAG_MORE))
    assert (found.reason, found["marks"]) == (0, MARK_IP | MARK_FRAGMENT)
    assert decoded(ipv4(piece, TCP)).reason != 0


@pytest.mark.parametrize(("size", "reason"), [(0, SHORT), (8, SHORT), (19, SHORT), (20, 0), (24, 0)])
def test_an_ipv6_first_piece_must_have_the_transport_header(size, reason):
    """RFC 8200 section 4.5: all headers up to the upper layer's, of which Linux asks the fixed part."""
    options = SEGMENT[:12] + b"\x60" + SEGMENT[13:20] + bytes(4)
    assert decoded(ipv6(fragment_header(TCP, 0, 1) + options[:size], 44)).reason == reason


@pytest.mark.parametrize(("offset", "size", "reason"), [(0x1FFF, 7, 0), (0x1FFF, 8, Reason.BAD_FRAGMENT), (0x1FFE, 15, 0)])
def test_no_piece_reaches_beyond_65535_bytes(offset, size, reason):
    assert decoded(ipv4(bytes(size), UDP, frag=offset)).reason == reason
    assert decoded(ipv6(fragment_header(UDP, offset, 0) + bytes(size), 44)).reason == reason


# IPv6.


def test_the_fields_of_an_ipv6_header():
    packet = bytearray(ipv6(SEGMENT, TCP, SOURCE6, DESTINATION6, hops=9))
    packet[0:4] = struct.pack(">I", 6 << 28 | 0xB8 << 20 | 0xFFFFF)
    found = decoded(bytes(packet))
    assert found["src_hi"] << 64 | found["src_lo"] == int.from_bytes(SOURCE6)
    assert found["dst_hi"] << 64 | found["dst_lo"] == int.from_bytes(DESTINATION6)
    assert (found["ttl"], found["tos"], found["ip_id"], found["frag"]) == (9, 0xB8, 0, FRAG_DONT)
    assert (found["proto"], found["ip_length"], found["l4"], found["payload"]) == (TCP, 65, 40, 60)
    assert (found["payload_length"], found["extensions"]) == (5, 0)


def test_the_smallest_ipv6_packet_and_one_byte_less():
    smallest = ipv6(b"", 59)
    assert decoded(smallest).reason == 0
    assert decoded(smallest[:-1]).reason == Reason.TRUNCATED_IP
    assert decoded(smallest[:-1], wire_length=40).reason == Reason.SNAPPED


@pytest.mark.parametrize("version", [0, 4, 5, 7])
def test_an_ipv6_header_of_another_version(version):
    assert decoded(ethernet(bytes([version << 4]) + PLAIN6[1:], V6), LINK_ETHERNET).reason == Reason.BAD_IP_VERSION


@pytest.mark.parametrize(("length", "reason"), [(10, 0), (11, Reason.BAD_IP_TOTAL_LENGTH), (65535, Reason.BAD_IP_TOTAL_LENGTH)])
def test_the_ipv6_length_lies_within_the_frame(length, reason):
    packet = bytearray(ipv6(bytes(10), NOTHING))
    packet[4:6] = struct.pack(">H", length)
    assert decoded(bytes(packet)).reason == reason


# IPv6 extension headers.

PLAIN, WITH_FRAGMENT, WITH_AH = 1, 2, 4  # bits of `extensions`


def header(kind: int, following: int, words: int = 0) -> bytes:
    """An extension header of the kind; an authentication header counts its length in units of 4 bytes, less 2."""
    if kind == 44:
        return fragment_header(following, 0, 0)
    return bytes([following, 4 + words]) + bytes(22 + 4 * words) if kind == 51 else extension(following, words)


def chain(*kinds: int, last: int = TCP, body: bytes = SEGMENT) -> bytes:
    following = [*kinds[1:], last]
    return ipv6(b"".join(map(header, kinds, following)) + body, kinds[0])


@pytest.mark.parametrize(
    ("kind", "bit", "size"), [(0, PLAIN, 8), (43, PLAIN, 8), (60, PLAIN, 8), (44, WITH_FRAGMENT, 8), (51, WITH_AH, 24)]
)
def test_each_extension_header_is_stepped_over(kind, bit, size):
    found = decoded(chain(kind))
    assert (found.reason, found["proto"], found["dport"], found["extensions"]) == (0, TCP, 443, bit)
    assert (found["l4"], found["payload_length"]) == (40 + size, 5)


@pytest.mark.parametrize("words", [0, 1, 255])
@pytest.mark.parametrize("kind", [0, 43, 60])
def test_an_extension_header_counts_its_length_in_8_bytes_beyond_the_first_8(kind, words):
    found = decoded(ipv6(header(kind, TCP, words) + SEGMENT, kind))
    assert (found["l4"], found["dport"]) == (48 + 8 * words, 443)


@pytest.mark.parametrize("words", [0, 1, 7])
def test_an_authentication_header_counts_its_length_in_4_bytes(words):
    assert decoded(ipv6(header(51, TCP, words) + SEGMENT, 51))["l4"] == 64 + 4 * words


def test_a_chain_of_every_kind():
    found = decoded(chain(0, 60, 43, 44, 51, 60))
    assert (found["dport"], found["extensions"]) == (443, PLAIN | WITH_FRAGMENT | WITH_AH)


@pytest.mark.parametrize("protocol", [50, 59, 135, 139, 140, 254])
@pytest.mark.parametrize("before", [(), (60,)])
def test_what_linux_does_not_step_over_is_the_protocol(protocol, before):
    """ESP and "no next header", but also Mobility, HIP and Shim6, which look like extension headers."""
    body = extension(TCP) + SEGMENT
    found = decoded(chain(*before, last=protocol, body=body) if before else ipv6(body, protocol))
    assert (found.reason, found["proto"], found["dport"]) == (0, protocol, 0)
    assert (found["l4"], found["marks"] & MARK_PORTS) == (40 + 8 * len(before), 0)


@pytest.mark.parametrize("kind", [0, 43, 44, 51, 60])
def test_eight_extension_headers_are_followed_and_a_ninth_is_refused(kind):
    assert decoded(chain(*[60] * 7, kind))["dport"] == 443
    assert decoded(chain(*[60] * 8, kind)).reason == Reason.TOO_MANY_EXTENSIONS
    assert decoded(chain(*[kind] * 9)).reason == Reason.TOO_MANY_EXTENSIONS


@pytest.mark.parametrize("kind", [0, 43, 44, 51, 60])
def test_a_cut_extension_header(kind):
    whole = header(kind, NOTHING)
    assert decoded(ipv6(whole, kind)).reason == 0
    assert decoded(ipv6(whole[:-1], kind)).reason == Reason.TRUNCATED_EXTENSION
    assert decoded(ipv6(b"", kind)).reason == Reason.TRUNCATED_EXTENSION
    assert decoded(ipv6(whole, kind)[:47], wire_length=40 + len(whole)).reason == Reason.SNAPPED


def test_an_extension_header_ends_with_the_packet_not_with_the_frame():
    assert decoded(ipv6(extension(NOTHING)[:7], 60) + b"\0").reason == Reason.TRUNCATED_EXTENSION
    assert decoded(ipv6(extension(NOTHING, 1)[:8], 60) + bytes(8)).reason == Reason.TRUNCATED_EXTENSION


@pytest.mark.parametrize(("offset", "more"), [(0, 1), (1, 0), (185, 1), (8191, 0)])
def test_the_fields_of_a_fragment_header(offset, more):
    found = decoded(ipv6(fragment_header(UDP, offset, more, 0xDEADBEEF) + udp(1, 2)[:7].ljust(7), 44))
    later = MARK_LATER_FRAGMENT if offset else 0
    assert found["marks"] == MARK_IP | MARK_FRAGMENT | later
    assert (found["ip_id"], found["frag"], found["proto"]) == (0xDEADBEEF, offset | more << 13 | FRAG_DONT, UDP)
    assert (found["l4"], found["payload_length"]) == (48, 7)


def test_an_atomic_fragment_is_a_whole_datagram():
    found = decoded(ipv6(fragment_header(TCP, 0, 0, 77) + SEGMENT, 44))
    assert (found["marks"] & MARK_FRAGMENT, found["ip_id"], found["dport"]) == (0, 77, 443)


@pytest.mark.parametrize("kind", [0, 43, 44, 51, 60])
def test_what_looks_like_a_header_in_a_later_piece_is_data(kind):
    found = decoded(ipv6(fragment_header(kind, 9, 0) + bytes(3), 44))
    assert (found.reason, found["proto"], found["payload_length"]) == (0, kind, 3)


# Snap length.


def test_what_the_capture_cut_behind_the_headers_is_no_flaw():
    found = decoded(PLAIN4[:40], wire_length=45)
    assert (found.reason, found["marks"] & MARK_SNAPPED, found["payload_length"]) == (0, MARK_SNAPPED, 5)
    assert (found["wire_length"], found["captured_length"]) == (45, 40)


@pytest.mark.parametrize("size", [20, 39])
def test_a_transport_header_that_the_capture_cut(size):
    assert decoded(PLAIN4[:size], wire_length=45).reason == Reason.SNAPPED


def test_a_cut_packet_that_is_malformed_as_well_is_malformed():
    assert decoded(b"\x44" + PLAIN4[1:40], wire_length=45).reason == Reason.BAD_IP_HEADER_LENGTH
    assert decoded(bytes(60), LINK_UNSUPPORTED, 100).reason == Reason.UNSUPPORTED_LINK


def test_the_recorder_hears_how_decoding_ended():
    notes = []
    decoded(PLAIN4, notes=notes)
    decoded(PLAIN4[:19], notes=notes)
    assert notes == [(TraceEvent.DECODED, 0), (TraceEvent.DECODED, Reason.TRUNCATED_IP)]


# Whatever comes.

HEADS = st.sampled_from([b"", b"\x45\0", b"\x46\0\0\x20", b"\x60\0\0\0\0\x20", *(link_header(link, V4) for link in TAGGED), *(
    link_header(link, V6) + b"\x60\0\0\0\0\x18" for link in TAGGED)])  # fmt: skip


@settings(deadline=None)
@given(HEADS, st.binary(max_size=120), st.integers(0, 8), st.sampled_from([0, 0, 1, 1500]))
def test_no_bytes_lead_outside_of_the_frame(head, rest, link, cut):
    """The checked memory raises IndexError where compiled code would read its neighbour."""
    frame = head + rest
    found = decoded(frame, link, len(frame) + cut)
    assert found.reason == 0 or Reason(found.reason)
    assert found["reason"] == found.reason
    if found.reason == 0:
        assert found["l3"] < found["l4"] <= found["payload"]
        assert found["l3"] + found["ip_length"] <= found["wire_length"]
        assert found["payload"] + found["payload_length"] <= found["l3"] + found["ip_length"]


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 1 << 32))
def test_a_valid_frame_is_cut_nowhere_but_by_the_capture(seed):
    """However short the capture, a sound packet is decoded or SNAPPED; never called malformed."""
    for frame in islice(frames(seed, 3, share_mutilated=0), 3):
        whole = decoded(frame, LINK_ETHERNET).reason
        for size in random.Random(seed).sample(range(len(frame)), 12):
            assert decoded(frame[:size], LINK_ETHERNET, len(frame)).reason in {whole, Reason.SNAPPED}


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 1 << 32))
def test_what_decodes_does_not_depend_on_the_link_header(seed):
    names = ("src_lo", "dst_hi", "sport", "seq", "icmp_type", "frag", "payload_length", "extensions")
    for frame in islice(frames(seed, 3), 3):
        if len(frame) > 14 and int.from_bytes(frame[12:14]) == (V6 if frame[14] >> 4 == 6 else V4):
            one, two = decoded(frame, LINK_ETHERNET), decoded(frame[14:], LINK_RAW)
            assert one.reason == two.reason
            assert [one[name] for name in names] == [two[name] for name in names]


def test_an_icmp_packet_over_the_other_family_is_decoded_as_its_number_says():
    assert decoded(ipv4(icmp(128, 0), 58))["icmp_type"] == 128
