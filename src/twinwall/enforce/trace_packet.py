"""A packet of which the kernel shows the headers: decoded, and in the words of the packet language."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from ipaddress import ip_address

from twinwall.engine.batch import address_text
from twinwall.engine.recorder import Row
from twinwall.engine.row_wording import endpoint_words, packet_words
from twinwall.engine.vocabulary import PORTED, flags_word, message_word, protocol_word
from twinwall.events.reported import claimed_length, decoded
from twinwall.live.connection import FiveTuple
from twinwall.path.layout import ICMP, ICMP6, MARK_PORTS, MARK_TRANSPORT, TCP


@dataclass(frozen=True)
class TracedPacket:
    """`headers` begin with the IP header; what the kernel left out behind them is taken as zeros."""

    headers: bytes

    @cached_property
    def whole(self) -> bytes:
        """As long as the packet says it is."""
        return self.headers.ljust(claimed_length(self.headers), b"\0")

    @cached_property
    def record(self) -> Row:
        """The packet decoded."""
        return decoded(self.whole)

    @property
    def protocol(self) -> int:
        """Its protocol."""
        return int(self.record["proto"])

    def __str__(self) -> str:
        """In the packet language: protocol, ends, and what makes it what it is."""
        record, protocol = self.record, self.protocol
        source, destination = (endpoint_words(record, *side) for side in (("src", "sport"), ("dst", "dport")))
        words = [protocol_word(protocol), source, ">", destination]
        if int(record["marks"]) & MARK_TRANSPORT and protocol == TCP:
            words.append(flags_word(int(record["tcp_flags"])))
        elif int(record["marks"]) & MARK_TRANSPORT and protocol in (ICMP, ICMP6):
            words.append(message_word(protocol, (int(record["icmp_type"]), int(record["icmp_code"]))))
        return " ".join(words)

    def told(self) -> str:
        """In `explain`'s words."""
        return packet_words(self.record)

    def field(self, name: str) -> str:
        """A field by nftables' name, such as `ip saddr` or `th dport`; empty for others."""
        if name.endswith(("saddr", "daddr")):
            return self._address("src" if name.endswith("saddr") else "dst")
        if name.endswith(("sport", "dport")):
            return str(int(self.record[name[-5:]]))
        return ""

    def _address(self, side: str) -> str:
        return address_text(int(self.record["version"]), int(self.record[f"{side}_hi"]), int(self.record[f"{side}_lo"]))

    def ends(self) -> FiveTuple | None:
        """What the connection table is asked for; None for protocols whose connections have no ports."""
        if self.protocol not in PORTED or not int(self.record["marks"]) & MARK_PORTS:
            return None
        source, destination = (ip_address(self._address(side)).packed for side in ("src", "dst"))
        return FiveTuple(source, destination, self.protocol, int(self.record["sport"]), int(self.record["dport"]))
