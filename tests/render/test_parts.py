"""Parts: every packet belongs to one, and finds there what it would find in the whole list."""

from __future__ import annotations

from ipaddress import ip_address

from tests.render.rendering import chains_of, policy_of, text_of
from twinwall.path.layout import TCP
from twinwall.render.layers import Unit
from twinwall.render.parts import LONG_WALK, Part, plan_parts

SERVICES = [22, 80, 443, 3306, 8080]
CROSSING = [
    rule
    for service in SERVICES
    for number in range(8)
    for rule in (
        f"alert tcp 10.{number}.0.0/16 any -> any {service} (flow:to_server;)",
        f"alert tcp any any -> 192.0.2.{number} {service} (flow:to_server;)",
        *(["alert tcp 10.0.0.0/12 any -> any any (flow:to_server;)"] if number == 7 else []),
    )
]


def tcp_parts(*rules: str) -> list[Part]:
    return [part for part in plan_parts(policy_of(*rules)) if part.family == 4 and TCP in part.protocols.numbers]


def holds(unit: Unit, values: tuple[int, ...]) -> bool:
    if unit.whole:
        return all(
            any(low <= value <= high for low, high in side) for side, value in zip(unit.match.region, values, strict=True)
        )
    return all(low <= value <= high for (low, high), value in zip(unit.box, values, strict=True))


def found(parts: list[Part], values: tuple[int, ...]) -> list[int]:
    """The places of the rules that a packet finds in its part, in order."""
    part = next((each for each in parts if each.port == values[3]), parts[-1])
    return [unit.match.place for step in part.asked(0) for unit in part.plan.units_of(step) if holds(unit, values)]


def test_a_short_walk_is_not_split():
    assert [part.port for part in tcp_parts(*CROSSING[:10])] == [None]


def test_rules_that_cross_are_split_by_the_ports_that_they_name():
    parts = tcp_parts(*CROSSING)
    assert [part.port for part in parts] == [*SERVICES, None]
    assert max(part.longest for part in parts) < LONG_WALK


def test_a_packet_finds_in_its_part_what_the_list_says():
    parts = tcp_parts(*CROSSING)
    rules = policy_of(*CROSSING).stateful.rules
    for source in ("10.3.0.1", "10.20.0.1", "172.16.0.1"):
        for target in ("192.0.2.3", "192.0.2.20", "198.51.100.1"):
            for port in (*SERVICES, 25):
                values = (int(ip_address(source)), int(ip_address(target)), 4000, port)
                wanted = [
                    place
                    for place, rule in enumerate(rules)
                    if rule.source.contains(4, values[0])
                    and rule.destination.contains(4, values[1])
                    and rule.destination_ports.contains(port)
                ]
                assert found(parts, values) == wanted


def test_rules_that_cross_without_ports_cannot_be_split():
    crossing = [rule.replace(f" {port} (", " any (") for rule in CROSSING for port in SERVICES if f" {port} (" in rule]
    assert [part.port for part in tcp_parts(*crossing)] == [None]


def test_packets_are_sent_to_the_part_of_their_port():
    chains = chains_of(text_of(policy_of(*CROSSING)))
    lines = next(lines for name, lines in chains.items() if name.startswith("tcp4_ports_"))
    assert lines[0].startswith("th dport vmap { 22 : goto tcp4_port22_")
    assert lines[1].startswith("goto tcp4_")


def test_a_two_way_rule_counts_once_where_both_ways_fit():
    (part,) = tcp_parts("alert tcp 10.0.0.0/8 any <> any any (flow:to_server;)")
    inside = int(ip_address("10.0.0.1"))
    assert found([part], (inside, inside, 1, 2)) == [0]
