from __future__ import annotations

import numpy as np
from hypothesis import given

from tests.engine.packets_in_words import packets
from twinwall.engine.spoken import SpokenPacket
from twinwall.engine.spoken_frame import checksum, crc32c, encode
from twinwall.engine.spoken_parser import parse_packet
from twinwall.path.checksum import verify
from twinwall.path.decode import decode
from twinwall.path.layout import GRE, ICMP, ICMP6, LINK_ETHERNET, LINK_RAW, MARK_FRAGMENT, RECORD, RECORD_BYTES, TCP
from twinwall.path.primitives import Pointer
from twinwall.path.reason import Reason


def decoded(packet: SpokenPacket) -> tuple[int, np.void, int]:
    """The decoder's answer, the record, and what the checksums say."""
    frame = encode(packet)
    memory, record = bytearray(RECORD_BYTES), Pointer(frame.data)
    words = Pointer(memory)
    reason = decode(record, record + len(frame.data), frame.link, len(frame.data), words)
    wrong = verify(record, record + len(frame.data), words) if reason == 0 else 0
    return reason, np.frombuffer(memory, RECORD)[0], wrong


@given(packets())
def test_the_decoder_reads_what_was_said(packet):
    reason, record, wrong = decoded(packet)
    if packet.fragment is not None and packet.fragment.offset + packet.length > 65_000:
        return  # may reach beyond the largest datagram, as it was said
    if packet.protocol in (0, 43, 44, 60, 135, 139, 140, 51) and packet.version == 6:
        return  # extension headers: zeros of payload are not one
    if packet.protocol in (4, 41) or reason in (Reason.TRUNCATED_TRANSPORT, Reason.BAD_UDP_LENGTH):
        assert packet.fragment is not None or packet.protocol in (4, 41)
        return
    assert reason == 0
    assert (int(record["proto"]), int(record["version"])) == (packet.protocol, packet.version)
    assert (int(record["ttl"]), int(record["tos"])) == (packet.ttl, packet.tos)
    assert int(record["vlan_count"]) == len(packet.vlans)
    if int(record["marks"]) & MARK_FRAGMENT:
        return
    assert wrong == 0
    if packet.source.port is not None:
        assert (int(record["sport"]), int(record["dport"])) == (packet.source.port, packet.destination.port)
    if packet.protocol == TCP:
        assert (int(record["tcp_flags"]), int(record["payload_length"])) == (packet.flags, packet.length)
        assert (int(record["seq"]), int(record["ack"])) == (packet.seq or 0, packet.ack or 0)
    if packet.protocol in (ICMP, ICMP6):
        assert (int(record["icmp_type"]), int(record["icmp_code"])) == packet.message
    if packet.protocol == GRE and packet.key is not None:
        assert int(record["vtag"]) == packet.key


def test_tags_make_an_ethernet_frame():
    text = "udp 10.0.0.5:1 > 10.0.0.6:2 len 3"
    assert encode(parse_packet(text)).link == LINK_RAW
    tagged = encode(parse_packet(f"{text} vlan 7"))
    assert tagged.link == LINK_ETHERNET
    assert tagged.data[12:18].hex() == "810000070800"
    assert tagged.data[18:] == encode(parse_packet(text)).data


def test_a_later_piece_has_no_transport_header():
    piece = encode(parse_packet("udp 10.0.0.5:1 > 10.0.0.6:2 len 3 frag 8 id 5")).data
    assert piece[20:] == bytes(3)
    assert piece[4:8].hex() == "00050001"
    assert encode(parse_packet("udp [::1]:1 > [::2]:2 len 3 frag 8+ id 5")).data[40:48].hex() == "1100000900000005"


def test_an_error_quotes_what_rfc_792_asks_for():
    whole = encode(parse_packet("udp 10.0.0.5:1 > 10.0.0.6:2 len 30")).data
    error = encode(parse_packet("icmp 10.0.0.6 > 10.0.0.5 port-unreachable for (udp 10.0.0.5:1 > 10.0.0.6:2 len 30)")).data
    assert error[28:] == whole[:28]


def test_checksums_of_known_data():
    assert checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0x220D  # RFC 1071 section 3
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(bytes(32)) == 0x8A9136AA  # RFC 3720 appendix B.4
