"""The protocols a rule's header may name, and those that belong to the language but are not matched yet.

`tcp-pkt` says that payload is looked at packet by packet: a rule on header fields means the same with `tcp` (measured:
Suricata 7.0.10 takes `tcp-pkt` with nothing but addresses and ports for an IP-only rule).

`PROTOCOL_NUMBERS` are the names that `ip_proto` knows (IANA's protocol numbers, the spellings of /etc/protocols).
"""

from __future__ import annotations

from dataclasses import dataclass

from twinwall.policy.sets import AddressSet
from twinwall.rules.addresses import V4_ONLY, V6_ONLY

EVERY_PROTOCOL = frozenset(range(256))


@dataclass(frozen=True, slots=True)
class Protocol:
    """What a header's protocol asks of a packet: its numbers (None: any) and its IP version."""

    numbers: frozenset[int] | None
    family: AddressSet | None = None


_ICMP = Protocol(frozenset({1, 58}))

PROTOCOLS = {
    "ip": Protocol(None),
    "ipv4": Protocol(None, V4_ONLY),
    "ip4": Protocol(None, V4_ONLY),
    "ipv6": Protocol(None, V6_ONLY),
    "ip6": Protocol(None, V6_ONLY),
    "tcp": Protocol(frozenset({6})),
    "tcp-pkt": Protocol(frozenset({6})),
    "udp": Protocol(frozenset({17})),
    "icmp": _ICMP,
    "icmpv4": Protocol(frozenset({1})),
    "icmpv6": Protocol(frozenset({58})),
    "sctp": Protocol(frozenset({132})),
}

UNSUPPORTED_PROTOCOLS = frozenset(
    """
    arp bittorrent-dht dcerpc dhcp dnp3 dns doh2 enip ether ftp ftp-data http http1 http2 ike imap kerberos krb5 ldap mdns
    modbus mqtt nfs ntp pgsql pkthdr pop3 quic rdp rfb sip smb smtp snmp ssh ssl tcp-stream telnet tftp tls websocket
    """.split()  # noqa: SIM905 - one paragraph of names
)

PROTOCOL_NUMBERS = {
    "hopopt": 0, "icmp": 1, "igmp": 2, "ggp": 3, "ipencap": 4, "st": 5, "tcp": 6, "egp": 8, "igp": 9, "pup": 12, "udp": 17,
    "hmp": 20, "xns-idp": 22, "rdp": 27, "iso-tp4": 29, "dccp": 33, "xtp": 36, "ddp": 37, "idpr-cmtp": 38, "ipv6": 41,
    "ipv6-route": 43, "ipv6-frag": 44, "idrp": 45, "rsvp": 46, "gre": 47, "esp": 50, "ah": 51, "skip": 57, "ipv6-icmp": 58,
    "ipv6-nonxt": 59, "ipv6-opts": 60, "rspf": 73, "vmtp": 81, "eigrp": 88, "ospf": 89, "ax.25": 93, "ipip": 94,
    "etherip": 97, "encap": 98, "pim": 103, "ipcomp": 108, "vrrp": 112, "l2tp": 115, "isis": 124, "sctp": 132, "fc": 133,
    "mobility-header": 135, "udplite": 136, "mpls-in-ip": 137, "manet": 138, "hip": 139, "shim6": 140, "wesp": 141, "rohc": 142,
}  # fmt: skip

_NAMES = {PROTOCOLS[name].numbers: name for name in ("ip", "tcp", "udp", "icmp", "icmpv4", "icmpv6", "sctp")}


def printed_protocol(numbers: frozenset[int] | None) -> str:
    """The header's word for a set of protocols: `ip`, where `ip_proto` has to say the rest."""
    return _NAMES.get(numbers, "ip")
