"""Random rules and packets over few values, so that they meet often."""

from __future__ import annotations

import random
from collections.abc import Sequence
from ipaddress import ip_network

import numpy as np

from twinwall.path.layout import (
    MARK_FRAGMENT,
    MARK_IP,
    MARK_LATER_FRAGMENT,
    MARK_PORTS,
    MARK_REASSEMBLED,
    MARK_TRANSPORT,
    RECORD,
)
from twinwall.policy.diagnostic import Span
from twinwall.policy.model import (
    Action,
    Condition,
    FlowbitKind,
    FlowbitOption,
    FlowDirection,
    FlowOption,
    PacketField,
    Rule,
    RuleType,
)
from twinwall.policy.sets import ANY_ADDRESS, ANY_PORT, AddressSet, PortSet

STATELESS = (Action.PASS, Action.DROP, Action.FORWARD)
STATEFUL = (Action.PASS, Action.DROP, Action.REJECT, Action.ALERT)
V6 = 0x20010DB8 << 96
PORTS = (0, 22, 80, 443, 1023, 1024, 65535)
FLOWBITS = tuple(f"bit{number}" for number in range(70))


def make_rule(action: Action = Action.PASS, **values: object) -> Rule:
    """A rule that matches everything, but for `values`."""
    given: dict[str, object] = {
        "protocols": None,
        "source": ANY_ADDRESS,
        "source_ports": ANY_PORT,
        "destination": ANY_ADDRESS,
        "destination_ports": ANY_PORT,
        "sid": 1,
        "span": Span("test.rules", 1, 1),
        "text": "",
    }
    return Rule(action=action, **{**given, **values})  # type: ignore[arg-type]


def make_record(**fields: int) -> np.ndarray:
    """A record of a whole IPv4 TCP packet, but for `fields`."""
    record = np.zeros((), RECORD)
    given = {"version": 4, "proto": 6, "marks": MARK_IP | MARK_PORTS | MARK_TRANSPORT, "ttl": 64}
    for name, value in {**given, **fields}.items():
        record[name] = value
    return record


def some_address(rng: random.Random, version: int) -> int:
    """One of few addresses, or any."""
    if version == 4:
        return rng.choice(
            [0, 0xFFFFFFFF, 0x0A000000 | rng.getrandbits(5), 0x0A00FFF0 + rng.getrandbits(5), rng.getrandbits(32)]
        )
    return rng.choice([0, (1 << 128) - 1, V6 | rng.getrandbits(3) << 93 | rng.getrandbits(3), rng.getrandbits(128)])


def some_addresses(rng: random.Random) -> AddressSet:
    if rng.random() < 0.3:
        return ANY_ADDRESS
    networks = []
    for _ in range(rng.choice([1, 1, 1, 2, 5])):
        version = rng.choice([4, 4, 6])
        bits = 32 if version == 4 else 128
        length = rng.choice([0, 1, 8, 15, 16, 17, 27, 30, 32] if version == 4 else [0, 3, 16, 32, 33, 48, 64, 96, 97, 126, 128])
        low = some_address(rng, version) >> (bits - length) << (bits - length)
        networks.append(ip_network((low, length)))
    found = AddressSet.of(*networks)
    return ~found if rng.random() < 0.15 else found


def some_ports(rng: random.Random) -> PortSet:
    if rng.random() < 0.5:
        return ANY_PORT
    low = rng.choice(PORTS)
    found = PortSet(((low, rng.choice([low, max(low, 1023), 65535])),))
    return ~found if rng.random() < 0.15 else found


def some_condition(rng: random.Random, fields: Sequence[PacketField]) -> Condition:
    wanted = rng.choice(fields)
    low = rng.choice([0, 1, 2, 4, 6, 8, 64, 128, 0x2000, 0x4000])
    ranges = ((low, rng.choice([low, low + 1, 0xFFFFFFFF])),)
    if rng.random() < 0.2:
        ranges = ((0, 0), (2, 2), (17, 200))
    mask = rng.choice([0xFFFFFFFF, 0xFFFFFFFF, 0x12, 0xFE])
    return Condition(wanted, ranges, mask, negated=rng.random() < 0.25)


STATELESS_FIELDS = tuple(PacketField(number) for number in (1, 2, 3, 9, 18, 19, 20))


def some_rule(
    rng: random.Random, actions: Sequence[Action] = STATELESS, fields: Sequence[PacketField] = STATELESS_FIELDS
) -> Rule:
    """A rule of the stateless stage."""
    return make_rule(
        rng.choice(actions),
        protocols=rng.choice([None, None, frozenset({6}), frozenset({17}), frozenset({1, 58}), frozenset({6, 17, 132})]),
        source=some_addresses(rng),
        source_ports=some_ports(rng),
        destination=some_addresses(rng),
        destination_ports=some_ports(rng),
        bidirectional=rng.random() < 0.2,
        conditions=tuple(some_condition(rng, fields) for _ in range(rng.choice([0, 0, 1, 2]))),
    )


def some_stateful_rule(rng: random.Random) -> Rule:
    """A rule of the stateful stage."""
    rule = some_rule(rng, STATEFUL, tuple(PacketField))
    flow = None
    if rng.random() < 0.4:
        flow = FlowOption(
            direction=rng.choice([None, FlowDirection.TO_SERVER, FlowDirection.TO_CLIENT]),
            established=rng.choice([None, True, False]),
            stream=rng.choice([None, None, None, False, True]),
            fragment=rng.choice([None, None, None, False, True]),
        )
    flowbits = []
    for _ in range(rng.choice([0, 0, 0, 1, 2])):
        kind = rng.choice(list(FlowbitKind))
        names = rng.sample(FLOWBITS[:3] + FLOWBITS[-3:], 2 if kind in (FlowbitKind.ISSET, FlowbitKind.ISNOTSET) else 1)
        flowbits.append(FlowbitOption(kind, tuple(names)))
    return make_rule(
        rule.action,
        **{
            name: getattr(rule, name)
            for name in (
                "protocols",
                "source",
                "source_ports",
                "destination",
                "destination_ports",
                "bidirectional",
                "conditions",
            )
        },
        flow=flow,
        flowbits=tuple(flowbits),
        type=rng.choice([RuleType.IP_ONLY, RuleType.LIKE_IP_ONLY, RuleType.PACKET, RuleType.PACKET]),
        noalert=rng.random() < 0.2,
        alert=rng.random() < 0.3,
    )


def some_record(rng: random.Random) -> np.ndarray:
    """A packet that the decoder could have made."""
    version = rng.choice([4, 4, 6])
    record = make_record(version=version, proto=rng.choice([6, 6, 17, 1, 58, 47, 132]))
    source, destination = some_address(rng, version), some_address(rng, version)
    if rng.random() < 0.1:
        destination = source
    record["src_hi"], record["src_lo"] = divmod(source, 1 << 64)
    record["dst_hi"], record["dst_lo"] = divmod(destination, 1 << 64)
    marks = rng.choice([0, 0, 0, MARK_REASSEMBLED, MARK_FRAGMENT, MARK_FRAGMENT | MARK_LATER_FRAGMENT]) | MARK_IP
    if not marks & MARK_LATER_FRAGMENT:
        marks |= MARK_TRANSPORT
        if record["proto"] in (6, 17, 132):
            marks |= MARK_PORTS
            record["sport"], record["dport"] = rng.choice(PORTS), rng.choice(PORTS)
        if record["proto"] == 6:
            record["tcp_flags"] = rng.choice([2, 16, 18, 24, 4, 0x42])
            record["seq"], record["ack"], record["window"] = rng.getrandbits(3), rng.getrandbits(32), rng.choice([0, 64])
        if record["proto"] in (1, 58):
            record["icmp_type"], record["icmp_code"] = rng.choice([0, 3, 8, 128, 129]), rng.choice([0, 1, 4])
            record["icmp_id"], record["icmp_seq"] = rng.getrandbits(2), rng.getrandbits(2)
    record["marks"] = marks
    record["ttl"], record["tos"], record["interface"] = rng.choice([1, 64]), rng.choice([0, 8]), rng.choice([0, 1, 2])
    record["ip_id"], record["payload_length"] = rng.getrandbits(3), rng.choice([0, 1, 100])
    record["frag"] = rng.choice([0, 0x2000, 0x4000, 0x2001, 0x0008])
    record["ipopts"] = rng.choice([0, 1, 64]) if version == 4 else 0
    return record
