"""Conversations: which packets 200,000 flows exchange, as columns of numbers, drawn from a seeded generator.

A TCP flow opens (SYN, SYN-ACK, ACK), exchanges requests, answers and acknowledgements, and closes (FIN, FIN, ACK, or a RST);
some SYNs are never answered.  UDP flows alternate question and answer or stay unanswered; ICMP flows are echo series.
Sequence and acknowledgement numbers are those of a real connection without loss, so that a tracker with window checks
follows every flow.  Flows start evenly over the capture and overlap.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

TCP, UDP, ICMP = 6, 17, 1
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16

SECOND = 1_000_000_000
UNANSWERED = 0.03  # of the TCP flows: a SYN and its repetitions
RESET = 0.05  # of the TCP flows: closed by a RST
SHORTEST_TCP = 6  # three packets to open, three to close
CLOSING = 3
LONGEST_REQUEST, LONGEST_ANSWER = 46, 110  # 16-bit words of payload
WELL_KNOWN = np.array([443, 80, 22, 25, 53, 8080, 8443, 993, 3306, 5432], dtype=np.uint16)
WELL_KNOWN_SHARE = [0.54, 0.2, 0.03, 0.03, 0.02, 0.06, 0.04, 0.03, 0.03, 0.02]

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Flows:
    """One row for each flow."""

    protocol: NDArray[np.uint8]
    ipv6: Flags
    client: NDArray[np.uint32]  # the host part of the client's address
    server: NDArray[np.uint32]
    client_port: NDArray[np.uint16]  # ICMP: the echo identifier
    server_port: NDArray[np.uint16]
    packets: Ints
    start: Ints  # nanoseconds from the start of the capture
    gap: NDArray[np.float64]  # mean nanoseconds between two packets
    client_isn: Ints
    server_isn: Ints
    reset: Flags
    unanswered: Flags


@dataclass(frozen=True)
class Packets:
    """One row for each packet, in time order; `flow` is a row of the `Flows` that were drawn with them."""

    time: Ints
    protocol: NDArray[np.uint8]
    ipv6: Flags
    to_server: Flags
    client: NDArray[np.uint32]
    server: NDArray[np.uint32]
    client_port: NDArray[np.uint16]
    server_port: NDArray[np.uint16]
    flags: NDArray[np.uint8]
    seq: NDArray[np.uint32]  # ICMP: the echo sequence number
    ack: NDArray[np.uint32]
    payload: Ints  # bytes, always even

    def __len__(self) -> int:
        """How many packets."""
        return len(self.time)

    def take(self, rows: NDArray[np.intp] | Flags) -> Packets:
        """The packets of some rows."""
        return Packets(**{column.name: getattr(self, column.name)[rows] for column in fields(self)})

    @staticmethod
    def join(parts: list[Packets]) -> Packets:
        """Several runs of packets as one, in time order."""
        whole = Packets(**{c.name: np.concatenate([getattr(part, c.name) for part in parts]) for c in fields(Packets)})
        return whole.take(np.argsort(whole.time, kind="stable"))


def draw_lengths(random: np.random.Generator, protocol: NDArray[np.uint8], unanswered: Flags, total: int) -> Ints:
    """How many packets each flow has, so that they sum to `total`."""
    count = len(protocol)
    tcp = protocol == TCP
    lengths = np.where(tcp, SHORTEST_TCP + random.geometric(1 / 8.5, count), 2 * random.geometric(0.5, count))
    lengths = np.where(protocol == ICMP, 2 * random.integers(1, 8, count), lengths)
    lengths = np.where(unanswered, np.where(tcp, random.integers(1, 4, count), 1), lengths).astype(np.int64)
    flexible = np.flatnonzero(tcp & ~unanswered)
    while (missing := total - int(lengths.sum())) != 0:
        chosen = random.choice(flexible, min(abs(missing), len(flexible)), replace=False)
        lengths[chosen] = np.maximum(lengths[chosen] + np.sign(missing), SHORTEST_TCP)
        if missing < 0 and (lengths[flexible] == SHORTEST_TCP).all():
            raise ValueError(f"{count} flows cannot have as few as {total} packets")
    return lengths


def draw_flows(random: np.random.Generator, count: int, total: int, start: int, duration: int) -> Flows:
    """Draw `count` flows that start within `duration` nanoseconds from `start` and have `total` packets together."""
    protocol = random.choice(np.array([TCP, UDP, ICMP], np.uint8), count, p=[0.78, 0.17, 0.05])
    unanswered = random.random(count) < np.where(protocol == UDP, 0.2, UNANSWERED)
    well_known = random.choice(WELL_KNOWN, count, p=WELL_KNOWN_SHARE)
    server_port = np.where(random.random(count) < 0.05, random.integers(1024, 65536, count), well_known)
    server_port = np.where((protocol == UDP) & (random.random(count) < 0.7), 53, server_port)
    return Flows(
        protocol=protocol,
        ipv6=random.random(count) < 0.1,
        client=random.integers(1, 1 << 16, count, dtype=np.uint32),
        server=random.integers(0, 1 << 17, count, dtype=np.uint32),
        client_port=random.integers(32768, 61000, count).astype(np.uint16),
        server_port=server_port.astype(np.uint16),
        packets=draw_lengths(random, protocol, unanswered, total),
        start=np.sort(start + random.integers(0, duration, count)),
        gap=random.lognormal(np.log(0.08), 0.8, count).clip(0.001, 0.5) * SECOND,
        client_isn=random.integers(0, 1 << 32, count),
        server_isn=random.integers(0, 1 << 32, count),
        reset=random.random(count) < RESET,
        unanswered=unanswered,
    )


def sum_before(values: Ints, first: Ints, of_row: Ints) -> Ints:
    """For each row the sum of `values` over the earlier rows of its flow; `first` is each flow's first row."""
    before: Ints = np.cumsum(values) - values
    return np.subtract(before, before[first][of_row])


def tcp_flags(position: Ints, length: Ints, reset: Flags, unanswered: Flags) -> NDArray[np.uint8]:
    """The flags of the packet at `position` of a TCP flow of `length` packets."""
    flags = np.full(len(position), ACK, np.uint8)
    step = (position - 3) % 3
    flags[step != 2] = ACK | PSH
    flags[position >= length - CLOSING] = FIN | ACK
    flags[position == length - 1] = ACK
    flags[reset & (position == length - 1)] = RST | ACK
    flags[reset & (position == length - 2)] = ACK
    flags[reset & (position == length - 3)] = ACK
    flags[position == 0] = SYN
    flags[position == 1] = SYN | ACK
    flags[position == 2] = ACK
    flags[unanswered] = SYN
    return flags


def tcp_to_server(position: Ints, length: Ints, unanswered: Flags) -> Flags:
    """Whether the client sends the packet at `position`: request, answer, acknowledgement; FIN, FIN, ACK."""
    to_server: Flags = np.not_equal((position - 3) % 3, 1)
    to_server[position == length - 2] = False
    to_server[position == length - 3] = True
    to_server[position == length - 1] = True
    to_server[position == 0] = True
    to_server[position == 1] = False
    to_server[position == 2] = True
    to_server[unanswered] = True
    return to_server


def draw_packets(random: np.random.Generator, flows: Flows) -> Packets:
    """Every packet of the flows, in time order."""
    first = np.concatenate([[0], np.cumsum(flows.packets)[:-1]])
    of = np.repeat(np.arange(len(first)), flows.packets)
    count = len(of)
    position = np.arange(count) - first[of]
    length, protocol, unanswered = flows.packets[of], flows.protocol[of], flows.unanswered[of]
    tcp = protocol == TCP

    flags = np.where(tcp, tcp_flags(position, length, flows.reset[of], unanswered), 0).astype(np.uint8)
    to_server = np.where(tcp, tcp_to_server(position, length, unanswered), (position % 2 == 0) | unanswered)

    words = np.where(to_server, random.integers(8, LONGEST_REQUEST, count), random.integers(8, LONGEST_ANSWER, count))
    echo_words = (random.integers(14, 29, len(first)))[of]
    payload = 2 * np.where(tcp & (flags & PSH == 0), 0, np.where(protocol == ICMP, echo_words, words))

    repeated = unanswered & (position > 0)
    space = np.where(tcp & ~repeated, payload + ((flags & (SYN | FIN)) != 0), 0)
    by_client = sum_before(np.where(to_server, space, 0), first, of)
    by_server = sum_before(np.where(to_server, 0, space), first, of)
    client_next = flows.client_isn[of] + np.where(repeated, 0, by_client)
    server_next = flows.server_isn[of] + by_server
    seq = np.where(tcp, np.where(to_server, client_next, server_next), position // 2)
    ack = np.where(flags & ACK != 0, np.where(to_server, server_next, client_next), 0)

    waits = np.where(position == 0, 0.0, random.exponential(1.0, count) * flows.gap[of] + 20_000)
    waits = np.where(repeated & tcp, SECOND, waits).astype(np.int64)
    time = flows.start[of] + sum_before(waits, first, of) + waits
    packets = Packets(
        time=time,
        protocol=protocol,
        ipv6=flows.ipv6[of],
        to_server=to_server,
        client=flows.client[of],
        server=flows.server[of],
        client_port=flows.client_port[of],
        server_port=flows.server_port[of],
        flags=flags,
        seq=(seq & 0xFFFFFFFF).astype(np.uint32),
        ack=(ack & 0xFFFFFFFF).astype(np.uint32),
        payload=payload.astype(np.int64),
    )
    return packets.take(np.argsort(time, kind="stable"))
