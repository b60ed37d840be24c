"""Two observations of one capture compared packet by packet, each difference with its cause.

A cause is read off the packet and what came before it in its flow, never off the rules that differ, except where the rule is
the cause.  A difference without a cause is a defect; `docs/suricata.md` explains every cause by its name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from enum import StrEnum

from tests.suricata.oracle import Alert, Observation
from tests.suricata.ours import Packet
from tests.suricata.packets import ICMP, ICMP6, SCTP, TCP, UDP
from twinwall.path.layout import MARK_FRAGMENT, MARK_QUOTE
from twinwall.path.reason import Reason

FOLLOWED = frozenset({TCP, UDP, ICMP, ICMP6, SCTP})  # protocols of which both keep flows with the same ends
Ends = tuple[int, frozenset[tuple[int, int]]]


class Cause(StrEnum):
    """Why the two may differ.  The headings of `docs/suricata.md`."""

    MALFORMED = "malformed packets"
    FRAGMENT = "fragments"
    STRAY = "stray packets"
    ERROR = "ICMP errors"
    ECHO = "pings with several identifiers"
    PROTOCOL = "other protocols"
    HANDSHAKE = "unusual handshakes"
    OPTIONS = "ipopts:any"
    RESTARTED = "connections whose first packet was dropped"
    VLAN = "connections in several VLANs"
    AFTER = "what follows from a difference"


@dataclass(frozen=True)
class Difference:
    """One packet on which the two differ; `cause` None: nobody knows why."""

    packet: int
    cause: Cause | None
    suricata: str  # what only Suricata says
    twinwall: str  # what only twinwall says


class Causes:
    """Looks at the packets of a capture in order."""

    def __init__(self, packets: dict[int, Packet], dropped: Container[int]) -> None:
        self.packets = packets
        self.lost: set[int] = set()  # flows whose first packet was dropped
        self.again: set[int] = set()  # packets with which Linux begins such a flow once more
        self.strays: dict[Ends, int] = {}  # ends → the first packet that has no entry in the table
        self.identifiers: dict[Ends, dict[int, int]] = {}  # ends of pings → identifier → its first packet
        self.vlans: dict[Ends, dict[tuple[int, int], int]] = {}  # ends → their VLANs, each with its first packet
        for number, packet in sorted(packets.items()):
            ends = ends_of(packet)
            if packet.flow == 0:
                self.strays.setdefault(ends, number)
            if packet.flow in self.lost and packet.state == "NEW":
                self.again.add(number)
            elif packet.state == "NEW" and number in dropped:
                self.lost.add(packet.flow)
            self.vlans.setdefault(ends, {}).setdefault((int(packet.record["vlan_count"]), int(packet.record["vlan"])), number)
            if packet.record["proto"] in (ICMP, ICMP6):
                self.identifiers.setdefault(ends, {}).setdefault(int(packet.record["icmp_id"]), number)

    def of(self, number: int) -> Cause | None:
        """The cause of a difference on a packet, as far as the packet and its past tell."""
        packet = self.packets[number]
        proto, marks = int(packet.record["proto"]), int(packet.record["marks"])
        if marks & MARK_FRAGMENT:
            return Cause.FRAGMENT
        if Reason.TRUNCATED_LINK <= packet.reason < Reason.STATELESS_RULE:
            return Cause.MALFORMED
        if marks & MARK_QUOTE:
            return Cause.ERROR
        if proto not in FOLLOWED:
            return Cause.PROTOCOL
        if self.strays.get(ends_of(packet), number + 1) <= number:
            return Cause.STRAY
        if number in self.again:
            return Cause.RESTARTED
        if sum(first <= number for first in self.vlans[ends_of(packet)].values()) > 1:
            return Cause.VLAN
        if proto in (ICMP, ICMP6) and sum(first <= number for first in self.identifiers[ends_of(packet)].values()) > 1:
            return Cause.ECHO
        return None


def ends_of(packet: Packet) -> Ends:
    """Protocol and both ends of a packet, whichever sent it; pings of all identifiers have the same."""
    record = packet.record
    source, destination = (int(record[f"{side}_hi"]) << 64 | int(record[f"{side}_lo"]) for side in ("src", "dst"))
    return int(record["proto"]), frozenset({(source, int(record["sport"])), (destination, int(record["dport"]))})


def compare(
    theirs: Observation, ours: Observation, packets: dict[int, Packet], by_rule: Callable[[set[int]], Cause | None]
) -> Iterator[Difference]:
    """Every packet on which reports or fate differ.  `by_rule`: the cause that lies in the rules that differ alone."""
    causes = Causes(packets, ours.dropped)
    differed: set[Ends] = set()
    for number, packet in sorted(packets.items()):
        one, two = theirs.alerts.get(number, Counter()), ours.alerts.get(number, Counter())
        fates = number in theirs.dropped, number in ours.dropped
        if one == two and fates[0] == fates[1]:
            continue
        sids = {alert.sid for alert in (one - two) + (two - one)}
        cause = causes.of(number) or (by_rule(sids) if fates[0] == fates[1] else None)
        if cause is None and ends_of(packet) in differed:
            cause = Cause.AFTER
        differed.add(ends_of(packet))
        yield Difference(number, cause, said(one - two, fates[0]), said(two - one, fates[1]))


def said(alerts: Counter[Alert], dropped: bool) -> str:
    words = [f"{'blocked' if alert.blocked else 'allowed'} {alert.sid}" for alert in sorted(alerts.elements())]
    return ", ".join(words + ["dropped"] * dropped)
