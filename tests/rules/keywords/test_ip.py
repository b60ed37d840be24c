"""Keywords about the IP header: what they ask for, and that they are written back with the same meaning."""

from __future__ import annotations

import pytest

from tests.rules.keywords.rule import read
from twinwall.policy.model import PacketField
from twinwall.rules.printer import print_rule

ANY = "alert ip any any -> any any"
SPELLED = [
    "ttl:<5;",
    "tos:!8;",
    "id:31337;",
    "ip_proto:!6;",
    "ip_proto:89;",
    "ipopts:lsrr;",
    "ipopts:any;",
    "fragbits:!D;",
    "fragbits:+M;",
    "fragbits:*MR;",
    "fragoffset:>8;",
    "sameip;",
]


def values(options: str, field: PacketField) -> set[int]:
    """Which values of a field satisfy the rule's one condition on it."""
    rule, diagnostics = read(options, ANY)
    assert not diagnostics
    (condition,) = [each for each in rule.conditions if each.field is field]
    return {value for low, high in condition.ranges for value in range(low, high + 1)}


@pytest.mark.parametrize("options", SPELLED)
def test_it_is_written_back_with_the_same_meaning(options: str):
    rule, diagnostics = read(options, ANY)
    assert not diagnostics
    again, diagnostics = read(print_rule(rule).partition("(")[2].partition("sid:")[0], print_rule(rule).partition(" (")[0])
    assert not diagnostics
    assert (again.conditions, again.protocols, again.source) == (rule.conditions, rule.protocols, rule.source)


@pytest.mark.parametrize(
    ("options", "bits"),
    [
        ("fragbits:D;", {0x4000}),
        ("fragbits:+D;", {0x6000, 0xC000, 0xE000}),  # one bit more at least
        ("fragbits:*MR;", {0x2000, 0x6000, 0x8000, 0xA000, 0xC000, 0xE000}),
        ("fragbits:!D;", {0, 0x2000, 0x8000, 0xA000}),
    ],
)
def test_fragment_bits(options: str, bits: set[int]):
    assert values(options, PacketField.FRAG_BITS) & {each << 13 for each in range(8)} == bits


@pytest.mark.parametrize(
    ("value", "protocols"),
    [
        ("17", {17}),
        ("udp", {17}),
        ("!17", set(range(256)) - {17}),
        ("<17", set(range(17))),
        (">17", set(range(18, 256))),
    ],
)
def test_ip_proto_chooses_protocols(value: str, protocols: set[int]):
    rule, diagnostics = read(f"ip_proto:{value};", ANY)
    assert not diagnostics
    assert rule.protocols == protocols


@pytest.mark.parametrize("options", ["tos:8;", "id:1;", "ipopts:rr;", "fragbits:D;"])
def test_what_only_ipv4_has_matches_no_ipv6(options: str):
    rule, _ = read(options, ANY)
    assert rule.source.v4
    assert not rule.source.v6


@pytest.mark.parametrize(
    "options",
    ["ttl:256;", "tos:300;", "tos:xZZ;", "id:65536;", "ip_proto:nothing;", "ipopts:no;", "fragbits:X;", "fragbits:!D+;",
     "fragoffset:!1;", "sameip:1;"],
)  # fmt: skip
def test_mistakes_are_refused_at_their_place(options: str):
    rule, diagnostics = read(options, ANY)
    assert rule is None
    assert diagnostics[0].span.column > len(ANY)


def test_a_protocol_twice_is_a_contradiction():
    rule, diagnostics = read("ip_proto:17;", "alert tcp any any -> any any")
    assert rule is None
    assert "already names a protocol" in diagnostics[0].message
