"""The words of the packet language: protocols, TCP flags, ICMP messages, SCTP chunks.  `engine.spoken` has the grammar.

Where several words stand for the same thing, the first one is what is printed.
"""

from __future__ import annotations

from twinwall.path.layout import (
    ACK,
    AH,
    CWR,
    ECE,
    ESP,
    FIN,
    GRE,
    ICMP,
    ICMP6,
    PSH,
    RST,
    SCTP,
    SYN,
    TCP,
    UDP,
    UDPLITE,
    URG,
)  # fmt: skip

PROTOCOLS = {
    "tcp": TCP, "udp": UDP, "udplite": UDPLITE, "sctp": SCTP, "icmp": ICMP, "icmp6": ICMP6, "icmpv6": ICMP6,
    "gre": GRE, "esp": ESP, "ah": AH,
}  # fmt: skip
PORTED = frozenset({TCP, UDP, UDPLITE, SCTP})

# tcpdump's letters, then the rule language's where it differs.
FLAG_LETTERS = {
    "F": FIN, "S": SYN, "R": RST, "P": PSH, ".": ACK, "U": URG, "E": ECE, "W": CWR,
    "A": ACK, "C": CWR,
}  # fmt: skip
NO_FLAGS = "none"

MESSAGES4 = {
    "echo-request": (8, 0), "echo-reply": (0, 0), "net-unreachable": (3, 0), "unreachable": (3, 0),
    "host-unreachable": (3, 1), "protocol-unreachable": (3, 2), "port-unreachable": (3, 3),
    "fragmentation-needed": (3, 4), "admin-prohibited": (3, 13), "source-quench": (4, 0), "redirect": (5, 1),
    "router-advertisement": (9, 0), "router-solicitation": (10, 0), "time-exceeded": (11, 0),
    "parameter-problem": (12, 0), "timestamp-request": (13, 0), "timestamp-reply": (14, 0),
    "information-request": (15, 0), "information-reply": (16, 0), "mask-request": (17, 0), "mask-reply": (18, 0),
}  # fmt: skip
MESSAGES6 = {
    "echo-request": (128, 0), "echo-reply": (129, 0), "no-route": (1, 0), "unreachable": (1, 0), "net-unreachable": (1, 0),
    "admin-prohibited": (1, 1), "address-unreachable": (1, 3), "host-unreachable": (1, 3), "port-unreachable": (1, 4),
    "packet-too-big": (2, 0), "time-exceeded": (3, 0), "parameter-problem": (4, 0),
    "router-solicitation": (133, 0), "router-advertisement": (134, 0), "neighbor-solicitation": (135, 0),
    "neighbor-advertisement": (136, 0), "redirect": (137, 0),
}  # fmt: skip
MESSAGES = {ICMP: MESSAGES4, ICMP6: MESSAGES6}

CHUNKS = {
    "data": 0, "init": 1, "init-ack": 2, "sack": 3, "heartbeat": 4, "heartbeat-ack": 5, "abort": 6, "shutdown": 7,
    "shutdown-ack": 8, "error": 9, "cookie-echo": 10, "cookie-ack": 11, "shutdown-complete": 14,
}  # fmt: skip

# The reply that an ICMP request asks for; both families number differently.
ANSWERS = {
    ICMP: {(8, 0): (0, 0), (13, 0): (14, 0), (15, 0): (16, 0), (17, 0): (18, 0)},
    ICMP6: {(128, 0): (129, 0)},
}

UNITS = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000, "m": 60_000_000_000, "h": 3_600_000_000_000}


def protocol_word(number: int) -> str:
    """How a protocol is said: its name, or `ip N`."""
    return next((word for word, value in PROTOCOLS.items() if value == number), f"ip {number}")


def flags_word(flags: int) -> str:
    """TCP flags in tcpdump's letters, its order; `none` for no flag."""
    return "".join(letter for letter, bit in list(FLAG_LETTERS.items())[:8] if flags & bit) or NO_FLAGS


def message_word(protocol: int, message: tuple[int, int]) -> str:
    """An ICMP message's name, or TYPE/CODE."""
    words = MESSAGES.get(protocol, {})
    return next((word for word, value in words.items() if value == message), f"{message[0]}/{message[1]}")


def chunk_word(kind: int) -> str:
    """An SCTP chunk's name, or `chunk N`."""
    return next((word for word, value in CHUNKS.items() if value == kind), f"chunk {kind}")


def duration_word(nanoseconds: int) -> str:
    """A duration in the largest unit that divides it."""
    if nanoseconds == 0:
        return "0s"
    word, size = next((word, size) for word, size in reversed(UNITS.items()) if nanoseconds % size == 0)
    return f"{nanoseconds // size}{word}"
