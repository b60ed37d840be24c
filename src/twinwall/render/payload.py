"""`dsize` in nftables, which has no payload length: a UDP header says it, and of other protocols it is asked which byte exists.

"At least n bytes" is "byte n - 1 can be read": nftables reads up to 255 bytes behind a header.  Over IPv4 larger numbers are
computed from the lengths in the headers: one element for each pair of header lengths.
"""

from __future__ import annotations

from collections.abc import Iterator

from twinwall.path.layout import ESP, ICMP, ICMP6, SCTP, TCP, UDP
from twinwall.policy.sets import Intervals
from twinwall.render.match import Gate

TOP = 65535
FARTHEST = 255  # the last byte that nftables reads, from a header's start
HEADERS = {SCTP: 12, ICMP: 8, ICMP6: 8, ESP: 8}  # bytes that are no payload; TCP's are known to nftables
WORDS = range(5, 16)  # the lengths that IPv4 and TCP headers have, in words
# Messages whose fixed part is longer than a ping's (`path.residual.payload_length`)
LONGER = {ICMP: ("13-14", 12), ICMP6: ("130-255", 4)}


class BeyondReachError(Exception):
    """A length that nftables cannot ask for in this family."""


def payload_gates(lengths: Intervals, family: int, protocol: int | None) -> list[Gate] | None:
    """Gates for packets of `protocol` whose payload has one of the `lengths`; None: none has."""
    if protocol == UDP:
        ranges = ", ".join(f"{low + 8}-{min(high + 8, TOP)}" for low, high in lengths if low + 8 <= TOP)
        return [(f"udp length {{ {ranges} }} goto {{next}}",)] if ranges else None
    if protocol != TCP and protocol not in HEADERS:
        return [] if lengths and lengths[0][0] == 0 else None
    if not lengths:
        return None
    if lengths == ((0, TOP),):
        return []
    if protocol in LONGER:
        messages, more = LONGER[protocol]
        return [
            tuple(_steps(lengths, family, protocol, HEADERS[protocol] + more, f"@th,0,8 {messages} "))
            + tuple(_steps(lengths, family, protocol, HEADERS[protocol], f"@th,0,8 != {messages} "))
        ]
    return [tuple(_steps(lengths, family, protocol, HEADERS.get(protocol, 0), ""))]


def _steps(lengths: Intervals, family: int, protocol: int, header: int, which: str) -> Iterator[str]:
    """Lines that decide, the largest length first."""
    edges = sorted({low for low, _ in lengths} | {high + 1 for _, high in lengths if high < TOP}, reverse=True)
    last = FARTHEST + 1 - header
    if edges[0] <= last:
        base = "ih" if protocol == TCP else "th"
        for edge in edges:
            inside = any(low <= edge <= high for low, high in lengths)
            there = f"@{base},{(header + edge - 1) * 8},8 0-255 " if edge else ""
            yield f"{which}{there}{'goto {next}' if inside else 'return'}"
        if edges[-1]:
            yield f"{which}return"
    elif family == 4:
        yield f"{which}{_computed(lengths, protocol, header)} goto {{next}}"
    else:
        raise BeyondReachError


def _computed(lengths: Intervals, protocol: int, header: int) -> str:
    """Header lengths and the packet's length, as one set."""
    if protocol == TCP:
        key = "ip hdrlength . tcp doff . ip length"
        heads = [(f"{ip} . {tcp}", 4 * (ip + tcp)) for ip in WORDS for tcp in WORDS]
    else:
        key = "ip hdrlength . ip length"
        heads = [(str(ip), 4 * ip + header) for ip in WORDS]
    elements = [
        f"{head} . {low + taken if low else 0}-{min(high + taken, TOP)}"
        for head, taken in heads
        for low, high in lengths
        if low + taken <= TOP
    ]
    return f"{key} {{ {', '.join(elements)} }}"
