"""What is said in the conversations, by kind.  Each script plays over IPv4 and IPv6 unless it is in a list for one of them."""

from __future__ import annotations

from tests.suricata.conversations import REQUEST, RESPONSE, Script, Talk
from tests.suricata.packets import ICMP, ICMP6, TCP, UDP, fragments, fragments6, icmp_error, ip, tcp, udp


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
