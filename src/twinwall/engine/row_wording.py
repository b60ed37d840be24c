"""Rows in words: a decoded packet (RECORD) and a flow's entry (ENTRY)."""

from __future__ import annotations

from twinwall.conntrack.entry import (
    END_DROPPED,
    END_EVICTED,
    END_NONE,
    END_REPLACED,
    END_RESET,
    END_SHUTDOWN,
    END_TIMEOUT,
    ST_ASSURED,
    ST_MIDSTREAM,
    ST_SEEN_REPLY,
    ST_UNCONFIRMED,
)
from twinwall.conntrack.protocols.sctp import SctpState
from twinwall.conntrack.protocols.tcp import TcpState
from twinwall.engine.batch import PROTOCOLS, address_text
from twinwall.engine.recorder import Row
from twinwall.engine.vocabulary import PORTED, flags_word, message_word
from twinwall.path.layout import (
    FRAG_MORE,
    FRAG_OFFSET,
    ICMP,
    ICMP6,
    MARK_FRAGMENT,
    MARK_PORTS,
    MARK_REASSEMBLED,
    MARK_TRANSPORT,
    SCTP,
    TCP,
)

NANOSECONDS = 1_000_000_000

END_WORDS = {
    END_NONE: "it is over",
    END_TIMEOUT: "its time was up",
    END_REPLACED: "a new connection of the same ends replaced it",
    END_EVICTED: "the table was full",
    END_SHUTDOWN: "the run is over",
    END_RESET: "a reset ended it",
    END_DROPPED: "its first packet was dropped, and Linux keeps no such connection",
}


def packet_words(record: Row) -> str:
    """A decoded packet in one line; the words of the packet language where it has some."""
    version = int(record["version"])
    if not version:
        return f"no IP packet (ethertype 0x{int(record['ethertype']):04x})"
    proto = int(record["proto"])
    source, destination = endpoint_words(record, "src", "sport"), endpoint_words(record, "dst", "dport")
    words = [f"{PROTOCOLS[proto]} {source} > {destination}", *_protocol_words(record, proto), *_fragment_words(record)]
    words.append(f"ttl {int(record['ttl'])}")
    if int(record["marks"]) & MARK_TRANSPORT:
        words.append(f"{int(record['payload_length'])} bytes of payload")
    if int(record["vlan_count"]):
        words.append(f"VLAN {int(record['vlan']) & 0xFFF}")
    return ", ".join(words)


def endpoint_words(record: Row, side: str, port: str) -> str:
    """An address, with the port where there is one."""
    version = int(record["version"])
    address = address_text(version, int(record[f"{side}_hi"]), int(record[f"{side}_lo"]))
    if not int(record["marks"]) & MARK_PORTS:
        return address
    return f"[{address}]:{int(record[port])}" if version == 6 else f"{address}:{int(record[port])}"


def _protocol_words(record: Row, proto: int) -> tuple[str, ...]:
    if not int(record["marks"]) & MARK_TRANSPORT:
        return ()
    if proto == TCP:
        numbers = f"seq {int(record['seq'])} ack {int(record['ack'])} win {int(record['window'])}"
        return f"flags {flags_word(int(record['tcp_flags']))}", numbers
    if proto in (ICMP, ICMP6):
        message = int(record["icmp_type"]), int(record["icmp_code"])
        return message_word(proto, message), f"id {int(record['icmp_id'])} seq {int(record['icmp_seq'])}"
    return ()


def _fragment_words(record: Row) -> tuple[str, ...]:
    marks, piece = int(record["marks"]), int(record["frag"])
    if marks & MARK_REASSEMBLED:
        return ("put together from fragments",)
    if not marks & MARK_FRAGMENT:
        return ()
    more = ", more follow" if piece & FRAG_MORE else ", the last"
    return (f"the piece at byte {(piece & FRAG_OFFSET) * 8}{more}",)


def state_words(entry: Row) -> str:
    """The protocol's own state of an entry, as Linux spells it; empty where the protocol has none."""
    proto, state = int(entry["proto"]), int(entry["state"])
    if proto == TCP:
        return TcpState(state).name
    if proto == SCTP:
        return SctpState(state).name
    return ""


def status_words(entry: Row) -> tuple[str, ...]:
    """What an entry's status says."""
    status = int(entry["status"])
    words = {
        ST_SEEN_REPLY: "a reply was seen",
        ST_ASSURED: "assured",
        ST_MIDSTREAM: "its start was not seen",
        ST_UNCONFIRMED: "nothing of it has passed: for the tracker's label it does not exist",
    }
    return tuple(text for bit, text in words.items() if status & bit)


def left_words(entry: Row, now: int) -> str:
    """How long an entry lives if nothing more comes."""
    left = int(entry["deadline"]) - now
    return "ends at once" if left <= 0 else f"ends in {left / NANOSECONDS:g} s if nothing more comes"


def change_words(before: Row | None, after: Row) -> str:
    """How a packet changed its flow's state."""
    now = state_words(after)
    if before is None:
        return f"new, {now}" if now else "new"
    was = state_words(before)
    if was == now:
        return f"still {now}" if now else "known"
    return f"{was} -> {now}"


def ended_words(entry: Row) -> str:
    """Which flow ended, and why."""
    why = END_WORDS[int(entry["end_reason"])]
    ends = f"{endpoint_of(entry, 'src', 'sport')} > {endpoint_of(entry, 'dst', 'dport')}"
    return f"{PROTOCOLS[int(entry['proto'])]} {ends}, {why}"


def endpoint_of(entry: Row, side: str, port: str) -> str:
    """One end of a flow's original tuple."""
    version = int(entry["version"])
    address = address_text(version, int(entry[f"{side}_hi"]), int(entry[f"{side}_lo"]))
    if int(entry["proto"]) not in PORTED:
        return address
    return f"[{address}]:{int(entry[port])}" if version == 6 else f"{address}:{int(entry[port])}"
