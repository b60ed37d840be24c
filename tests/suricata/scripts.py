"""What is said in the conversations, by kind.  Each script plays over IPv4 and IPv6 unless it is in a list for one of them."""

from __future__ import annotations

import struct

from tests.suricata.conversations import REQUEST, RESPONSE, Script, Talk
from tests.suricata.packets import ICMP, ICMP6, UDP, fragments, fragments6, icmp_error, udp


def web(talk: Talk) -> None:
    """The ten packets of the probe table."""
    talk.handshake()
    talk.exchange()
    talk.close()


def web_alt(talk: Talk) -> None:
    """Another port, other header fields."""
    talk.dport = 8080
    talk.up("S", ttl=128, tos=16, ident=77, window=4096)
    talk.down("SA", ttl=1, tos=46)
    talk.up("A", window=0)
    talk.up("PA", b"a" * 300, tos=3)
    talk.down("A", window=65535)
    talk.down("R")


def server_first(talk: Talk) -> None:
    talk.dport = 25
    talk.handshake()
    talk.down("PA", b"220 ready\r\n")
    talk.up("A")
    talk.up("PA", b"QUIT\r\n")
    talk.down("A")
    talk.down("FA")
    talk.up("A")
    talk.up("FA")
    talk.down("A")


def data_in_third(talk: Talk) -> None:
    talk.up("S")
    talk.down("SA")
    talk.up("PA", REQUEST)
    talk.down("PA", RESPONSE)
    talk.up("FA")
    talk.down("FA")
    talk.up("A")


def repeated_handshake(talk: Talk) -> None:
    talk.up("S")
    talk.wait(1)
    talk.up("S", seq=1_000)
    talk.down("SA")
    talk.wait(1)
    talk.down("SA", seq=500_000)
    talk.up("A")
    talk.up("A")
    talk.exchange()
    talk.close()


def repeated_data(talk: Talk) -> None:
    talk.handshake()
    at = talk.sequence[True]
    talk.up("PA", REQUEST)
    talk.up("PA", REQUEST, seq=at)
    talk.down("A")
    back = talk.sequence[False]
    talk.down("PA", RESPONSE)
    talk.down("PA", RESPONSE, seq=back)
    talk.up("A")
    talk.close()


def out_of_order(talk: Talk) -> None:
    talk.handshake()
    at = talk.sequence[True]
    talk.up("PA", b"later", seq=at + 5)
    talk.down("A", ack=at)
    talk.up("PA", b"first")
    talk.sequence[True] += 5
    talk.down("A")
    talk.close()


def refused(talk: Talk) -> None:
    talk.up("S")
    talk.down("RA", seq=0)


def reset_by_client(talk: Talk) -> None:
    talk.handshake()
    talk.exchange()
    talk.up("R")


def reset_by_server(talk: Talk) -> None:
    talk.handshake()
    talk.up("PA", REQUEST)
    talk.down("RA")


def half_closed(talk: Talk) -> None:
    talk.handshake()
    talk.up("PA", REQUEST)
    talk.up("FA")
    talk.down("A")
    talk.down("PA", RESPONSE)
    talk.up("A")
    talk.down("PA", RESPONSE)
    talk.down("FA")
    talk.up("A")


def close_by_server(talk: Talk) -> None:
    talk.handshake()
    talk.exchange()
    talk.down("FA")
    talk.up("A")
    talk.up("FA")
    talk.down("A")


def keep_alive(talk: Talk) -> None:
    talk.handshake()
    talk.exchange()
    talk.wait(60)
    talk.up("A", seq=talk.sequence[True] - 1)
    talk.down("A")
    talk.wait(60)
    talk.down("A", seq=talk.sequence[False] - 1)
    talk.up("A")
    talk.close()


def long_idle(talk: Talk) -> None:
    talk.handshake()
    talk.exchange()
    talk.wait(1800)
    talk.exchange()
    talk.close()


def only_syn(talk: Talk) -> None:
    for seconds in (0, 1, 2):
        talk.wait(seconds)
        talk.up("S", seq=1_000)


def options(talk: Talk) -> None:
    talk.up("S", tcp_options=b"\x02\x04\x05\xb4\x01\x03\x03\x07\x04\x02\x01\x01")
    talk.down("SA", tcp_options=b"\x02\x04\x05\xb4\x01\x03\x03\x07\x04\x02\x01\x01")
    talk.up("A")
    talk.exchange()
    talk.close()


def ecn(talk: Talk) -> None:
    talk.up("SEC")
    talk.down("SAE")
    talk.up("A")
    talk.up("PAC", REQUEST, tos=2)
    talk.down("AE")
    talk.close()


def urgent(talk: Talk) -> None:
    talk.handshake()
    talk.up("PAU", b"u" * 10)
    talk.down("A")
    talk.close()


def unanswered(talk: Talk) -> None:
    for count in range(3):
        talk.datagram(True, b"q" * count)


def dns(talk: Talk) -> None:
    talk.dport = 53
    talk.datagram(True, b"q" * 30)
    talk.datagram(False, b"r" * 300)


def chat(talk: Talk) -> None:
    talk.dport = 5000
    for up in (True, True, False, True, False, False, True):
        talk.datagram(up, b"c" * 64, ttl=60 if up else 30, tos=8)


def empty_datagrams(talk: Talk) -> None:
    talk.datagram(True, b"")
    talk.datagram(False, b"")


def ping(talk: Talk) -> None:
    for seq in (1, 2, 3):
        talk.echo(True, seq=seq)
        talk.echo(False, seq=seq)


def two_pings(talk: Talk) -> None:
    talk.echo(True, ident=1)
    talk.echo(True, ident=2)
    talk.echo(False, ident=2)
    talk.echo(False, ident=1)


def lost_ping(talk: Talk) -> None:
    for seq in (1, 2):
        talk.echo(True, seq=seq, data=b"")


TCP_SCRIPTS: tuple[Script, ...] = (
    web, web_alt, server_first, data_in_third, repeated_handshake, repeated_data, out_of_order, refused, reset_by_client,
    reset_by_server, half_closed, close_by_server, keep_alive, long_idle, only_syn, options, ecn, urgent,
)  # fmt: skip
OTHER_SCRIPTS: tuple[Script, ...] = (unanswered, dns, chat, empty_datagrams, ping, two_pings, lost_ping)
REGULAR = tuple((script.__name__, script) for script in (*TCP_SCRIPTS, *OTHER_SCRIPTS))


def simultaneous_open(talk: Talk) -> None:
    talk.up("S")
    talk.down("S")
    talk.up("SA", seq=1_000)
    talk.down("SA", seq=500_000)
    talk.up("A")
    talk.exchange()
    talk.close()


def midstream_from_client(talk: Talk) -> None:
    talk.exchange()
    talk.close()


def midstream_from_server(talk: Talk) -> None:
    talk.down("PA", RESPONSE)
    talk.up("A")
    talk.exchange()
    talk.close()


def midstream_answer(talk: Talk) -> None:
    talk.down("SA")
    talk.up("A")
    talk.exchange()
    talk.close()


def midstream_close(talk: Talk) -> None:
    talk.close()


def midstream_reset(talk: Talk) -> None:
    talk.up("R")
    talk.down("RA")


def reuse_at_once(talk: Talk) -> None:
    talk.handshake()
    talk.exchange()
    talk.close()
    talk.sequence = {True: 9_000_000, False: 70_000_000}
    talk.handshake()
    talk.exchange()
    talk.close()


def reuse_after_reset(talk: Talk) -> None:
    talk.handshake()
    talk.up("R")
    talk.sequence = {True: 9_000_000, False: 70_000_000}
    talk.handshake()
    talk.exchange()
    talk.close()


def refused_twice(talk: Talk) -> None:
    refused(talk)
    talk.sequence = {True: 9_000_000, False: 70_000_000}
    refused(talk)


def outside_the_window(talk: Talk) -> None:
    talk.handshake()
    talk.up("PA", b"far away", seq=3_000_000)
    talk.down("PA", b"answer", ack=900_000_000)
    talk.exchange()
    talk.close()


def wrong_reset(talk: Talk) -> None:
    talk.handshake()
    talk.down("R", seq=123)
    talk.exchange()
    talk.close()


def odd_flags(talk: Talk) -> None:
    for flags in ("", "FPU", "SF", "SFRPAU", "U", "P"):
        talk.sport += 1
        talk.up(flags)


def odd_flags_inside(talk: Talk) -> None:
    talk.handshake()
    talk.up("")
    talk.up("SF")
    talk.exchange()
    talk.close()


def scan(talk: Talk) -> None:
    for flags in ("A", "F", "R", "SA", "FA", "PA"):
        talk.sport += 1
        talk.up(flags)


def data_with_syn(talk: Talk) -> None:
    talk.up("S", REQUEST)
    talk.down("SA")
    talk.up("A")
    talk.down("PA", RESPONSE)
    talk.up("A")


def half_open_silence(talk: Talk) -> None:
    """The answer comes, the third segment never does; data comes all the same."""
    talk.up("S")
    talk.down("SA")
    talk.down("PA", b"early")
    talk.up("PA", REQUEST)
    talk.down("A")


def stray_echo_reply(talk: Talk) -> None:
    talk.echo(False)
    talk.echo(True)


def timestamps(talk: Talk) -> None:
    talk.message(True, 13, 0, data=bytes(12))
    talk.message(False, 14, 0, data=bytes(12))


def unreachable(talk: Talk) -> None:
    talk.dport = 33434
    talk.datagram(True)
    error = (1, 4) if talk.v6 else (3, 3)
    talk.raw(talk.packet(False, ICMP6 if talk.v6 else ICMP, icmp_error(*error, talk.said[-1].data)))
    talk.datagram(True)


def too_big(talk: Talk) -> None:
    talk.handshake()
    talk.up("PA", REQUEST)
    error = (2, 0, 1280) if talk.v6 else (3, 4, 1280)
    kind, code, rest = error
    talk.raw(talk.packet(False, ICMP6 if talk.v6 else ICMP, icmp_error(kind, code, talk.said[-1].data, rest)))
    talk.down("A")


def stray_error(talk: Talk) -> None:
    quoted = talk.packet(True, UDP, udp(1, 2, b"never sent"))
    error = (3, 0) if talk.v6 else (11, 0)
    talk.raw(talk.packet(False, ICMP6 if talk.v6 else ICMP, icmp_error(*error, quoted)))


def neighbours(talk: Talk) -> None:
    if talk.v6:
        for kind in (133, 134, 135, 136, 143):
            talk.message(True, kind, 0, 0, 0, bytes(16), ttl=255)
    else:
        talk.message(True, 9, 0, 0, 0, bytes(8))
        talk.message(True, 10, 0, 0, 0)


def same_address(talk: Talk) -> None:
    talk.server = talk.client
    talk.sport = talk.dport = 139
    talk.up("S")
    talk.sport = 140
    talk.datagram(True)


def sctp(talk: Talk) -> None:
    for up, kind in ((True, 1), (False, 2), (True, 10), (False, 11), (True, 0)):
        ports = (5000, 6000) if up else (6000, 5000)
        chunk = (
            struct.pack("!BBHIIHHI", kind, 0, 20, 77, 65535, 1, 1, 1) if kind < 3 and kind else struct.pack("!BBH", kind, 3, 20)
        )
        head = struct.pack("!HHII", *ports, 0 if kind == 1 else 77, 0)
        talk.raw(talk.packet(up, 132, head + (chunk + bytes(16))[:20]))


def other_protocols(talk: Talk) -> None:
    for protocol in (2, 50, 89, 103, 253):
        body = struct.pack("!II", 99, 1) + bytes(24)
        talk.raw(talk.packet(True, protocol, body))
        talk.raw(talk.packet(False, protocol, body))


def ip_options(talk: Talk) -> None:
    for option in (
        b"\x01\x01\x01\x00", b"\x07\x07\x04" + bytes(5), b"\x44\x08\x05\x00" + bytes(4), b"\x83\x07\x04" + bytes(5),
        b"\x89\x07\x04" + bytes(5), b"\x88\x04\x00\x01", b"\x82\x0b" + bytes(10), b"\x94\x04\x00\x00",
    ):  # fmt: skip
        talk.datagram(True, options=option)


def fragment_bits(talk: Talk) -> None:
    for bits in (0, 0x4000, 0x8000, 0xC000):
        talk.datagram(True, fragment=bits)
        talk.datagram(False, fragment=bits)


def _pieces(talk: Talk, up: bool, *sizes: int, ident: int = 5, order: tuple[int, ...] = ()) -> None:
    ports = (talk.sport, talk.dport) if up else (talk.dport, talk.sport)
    whole = talk.packet(up, UDP, udp(*ports, bytes(200)), **({} if talk.v6 else {"ident": ident, "fragment": 0}))
    pieces = fragments6(whole, ident, *sizes) if talk.v6 else fragments(whole, *sizes)
    for at in order or range(len(pieces)):
        talk.raw(pieces[at])


def in_pieces(talk: Talk) -> None:
    _pieces(talk, True, 80, 80)
    _pieces(talk, False, 80, 80, ident=6)


def in_pieces_backwards(talk: Talk) -> None:
    _pieces(talk, True, 80, 80, order=(2, 1, 0))
    talk.datagram(False)


def pieces_missing(talk: Talk) -> None:
    _pieces(talk, True, 80, 80, order=(0, 2))
    talk.datagram(False)


def atomic_fragment(talk: Talk) -> None:
    _pieces(talk, True)
    talk.datagram(False)


IRREGULAR = tuple(
    (script.__name__, script)
    for script in (
        simultaneous_open, midstream_from_client, midstream_from_server, midstream_answer, midstream_close, midstream_reset,
        reuse_at_once, reuse_after_reset, refused_twice, outside_the_window, wrong_reset, odd_flags, odd_flags_inside, scan,
        data_with_syn, half_open_silence, stray_echo_reply, timestamps, unreachable, too_big, stray_error, neighbours,
        same_address, sctp, other_protocols, ip_options, fragment_bits, in_pieces, in_pieces_backwards, pieces_missing,
        atomic_fragment,
    )
)  # fmt: skip
