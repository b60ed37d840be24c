from ipaddress import ip_network

import pytest

from tests.rules.test_policy_file import read, sound
from twinwall.path.layout import TCP, UDP
from twinwall.policy.model import Nat
from twinwall.policy.sets import AddressSet

HEAD = """twinwall: 1
variables: {LAN: [10.20.0.0/16, 2001:db8:20::/48]}
attach: {inside: lan0, outside: [wan0, wan1]}
"""


def mistakes(nat: str, head: str = HEAD) -> list[tuple[str, str]]:
    """What is wrong with a section `nat` in flow style behind `head`: each mistake's code, and the text at its place."""
    text = f"{head}nat: {nat}\n"
    policy, diagnostics = read(text)
    assert (policy is None) == bool(diagnostics)
    places = [(each.code, text.splitlines()[each.span.line - 1], each.span) for each in diagnostics]
    return [(str(code), line[span.column - 1 :][: span.length]) for code, line, span in places]


def networks(*texts: str) -> AddressSet:
    return AddressSet.of(*(ip_network(text) for text in texts))


def test_everything_that_nat_says():
    nat = sound(HEAD + """nat:
  masquerade: [wan0]
  source:
    - {interface: wan1, source: $LAN, address: 203.0.113.5}
    - {interface: wan1, source: [$LAN, "!2001:db8:20:1::/64"], address: 2001:db8::5}
    - {interface: wan0, address: 203.0.113.6}
  forward:
    - {interface: wan0, protocol: tcp, ports: 8080, to: 10.20.0.80:80}
    - {interface: wan0, protocol: udp, ports: 8000-8010, to: 10.20.0.80}
    - {interface: lan0, protocol: tcp, ports: 443, to: "[2001:db8:20::1]:8443", address: 2001:db8::5}
""").nat  # fmt: skip
    assert nat.masquerade == ("wan0",)
    assert [(each.interface, each.address) for each in nat.source] == [
        ("wan1", "203.0.113.5"), ("wan1", "2001:db8::5"), ("wan0", "203.0.113.6"),
    ]  # fmt: skip
    assert nat.source[0].source == networks("10.20.0.0/16")
    assert nat.source[1].source.v6 == (networks("2001:db8:20::/48") & ~networks("2001:db8:20:1::/64")).v6
    assert nat.source[2].source == networks("0.0.0.0/0")
    assert [(each.protocol, each.ports, each.to_address, each.to_port, each.address) for each in nat.forward] == [
        (TCP, (8080, 8080), "10.20.0.80", 80, None),
        (UDP, (8000, 8010), "10.20.0.80", None, None),
        (TCP, (443, 443), "2001:db8:20::1", 8443, "2001:db8::5"),
    ]
    assert [each.span.line for each in (*nat.source, *nat.forward)] == [7, 8, 9, 11, 12, 13]


def test_one_entry_needs_no_list():
    nat = sound(HEAD + "nat: {forward: {interface: wan0, protocol: tcp, ports: 22, to: 10.20.0.1}}").nat
    assert (len(nat.forward), nat.forward[0].to_port) == (1, None)


@pytest.mark.parametrize("text", ["", "{}", "{masquerade: , source: , forward: []}"])
def test_nothing_is_translated_unless_the_policy_says_so(text: str):
    assert sound(f"{HEAD}nat: {text}").nat == Nat()


@pytest.mark.parametrize("head", ["twinwall: 1\n", *(f"twinwall: 1\nattach: {{mode: {mode}, outside: wan0}}\n"
                                                    for mode in ("host", "bridge"))])  # fmt: skip
def test_only_a_gateway_translates(head: str):
    assert mistakes("{masquerade: wan0}", head) == [("nat-mode", "{masquerade: wan0}")]


SOURCE = "{{source: {{interface: wan0, {}}}}}"
FORWARD = "{{forward: {{interface: wan0, protocol: tcp, {}}}}}"


@pytest.mark.parametrize(
    ("nat", "found"),
    [
        ("{masqerade: wan0}", [("unknown-key", "masqerade")]),
        ("[wan0]", [("wrong-shape", "[wan0]")]),
        ("{masquerade: [wan0, wan0]}", [("bad-interface", "wan0")]),
        ("{masquerade: lan0}", [("bad-interface", "lan0")]),
        ("{masquerade: [wan7, a-name-of-16-chs]}", [("bad-interface", "wan7"), ("bad-interface", "a-name-of-16-chs")]),
        (SOURCE.format("address: 203.0.113.5, source: $LAND"), [("undefined-variable", "$LAND")]),
        (SOURCE.format("address: 203.0.113.5, source: [10.0.0.0/8, '!10.0.0.0/8']"), [("empty-set", "10.0.0.0/8")]),
        (SOURCE.format("address: 203.0.113.0/24"), [("bad-address", "203.0.113.0/24")]),
        (SOURCE.format("address: 0.0.0.0"), [("bad-address", "0.0.0.0")]),
        (SOURCE.format("address: 224.0.0.1"), [("bad-address", "224.0.0.1")]),
        (SOURCE.format("address: 255.255.255.255"), [("bad-address", "255.255.255.255")]),
        (SOURCE.format("address: 'fe80::1%wan0'"), [("bad-address", "fe80::1%wan0")]),
        (SOURCE.format("source: any"), [("missing-key", "{interface: wan0, source: any}")]),
        (SOURCE.format("address: 203.0.113.5, source: 2001:db8::/32"), [("not-built-in", "203.0.113.5")]),
        ("{source: [wan0]}", [("wrong-shape", "wan0")]),
        ("{source: {interface: lan0, address: 203.0.113.5}}", [("bad-interface", "lan0")]),
        ("{source: [{interface: wan0, address: 192.0.2.1}, {interface: wan0, source: 10.0.0.0/8, address: 192.0.2.2}]}",
         [("nat-conflict", "{interface: wan0, source: 10.0.0.0/8, address: 192.0.2.2}")]),
        ("{source: [{interface: wan0, source: 10.0.0.0/8, address: 192.0.2.1}, {interface: wan0, address: 192.0.2.2}]}", []),
        (FORWARD.format("to: 10.0.0.1"), [("missing-key", "{interface: wan0, protocol: tcp, to: 10.0.0.1}")]),
        (FORWARD.format("ports: 80-70, to: 10.0.0.1"), [("bad-port", "80-70")]),
        (FORWARD.format("ports: 0, to: 10.0.0.1"), [("bad-port", "0")]),
        (FORWARD.format("ports: 70000, to: 10.0.0.1"), [("bad-port", "70000")]),
        (FORWARD.format("ports: 80:90, to: 10.0.0.1"), [("bad-port", "80:90")]),
        (FORWARD.format("ports: [80], to: 10.0.0.1"), [("wrong-shape", "[80]")]),
        (FORWARD.format("ports: 80, to: web"), [("bad-address", "web")]),
        (FORWARD.format("ports: 80, to: 10.0.0.1:0"), [("bad-port", "10.0.0.1:0")]),
        (FORWARD.format("ports: 80, to: '[2001:db8::1]:'"), [("bad-port", "[2001:db8::1]:")]),
        (FORWARD.format("ports: 80, to: 127.0.0.1"), [("bad-address", "127.0.0.1")]),
        (FORWARD.format("ports: 80, to: {}"), [("wrong-shape", "{}")]),
        (FORWARD.format("ports: 80-81, to: 10.0.0.1:80"), [("nat-conflict", "10.0.0.1:80")]),
        (FORWARD.format("ports: 80, to: 10.0.0.1, address: 2001:db8::1"), [("not-built-in", "2001:db8::1")]),
        (FORWARD.format("ports: 80, to: 10.0.0.1, address: all"), [("bad-address", "all")]),
        (FORWARD.format("ports: [], to: [], address: []"), [("wrong-shape", "[]")] * 3),
        ("{masquerade: [[]], source: {interface: [], address: []}}", [("wrong-shape", "[]")] * 3),
        ("{forward: {interface: wan9, protocol: icmp, ports: 1, to: 10.0.0.1}}",
         [("bad-interface", "wan9"), ("bad-choice", "icmp")]),
    ],
)  # fmt: skip
def test_every_mistake_has_its_place(nat: str, found: list[tuple[str, str]]):
    assert mistakes(nat) == found


@pytest.mark.parametrize(
    ("one", "other", "clash"),
    [
        ("ports: 80-90, to: 10.0.0.1", "ports: 90, to: 10.0.0.2", True),
        ("ports: 80-90, to: 10.0.0.1", "ports: 91, to: 10.0.0.2", False),
        ("ports: 80, to: 10.0.0.1", "ports: 80, to: '2001:db8::1'", False),
        ("ports: 80, to: 10.0.0.1", "ports: 80, to: 10.0.0.2, address: 192.0.2.1", True),
        ("ports: 80, to: 10.0.0.1, address: 192.0.2.1", "ports: 80, to: 10.0.0.2", False),
        ("ports: 80, to: 10.0.0.1, address: 192.0.2.1", "ports: 80, to: 10.0.0.2, address: 192.0.2.1", True),
        ("ports: 80, to: 10.0.0.1, address: 192.0.2.1", "ports: 80, to: 10.0.0.2, address: 192.0.2.2", False),
    ],
)
def test_a_port_leads_to_one_place(one: str, other: str, clash: bool):
    start = "{interface: wan0, protocol: tcp, "
    found = mistakes(f"{{forward: [{start}{one}}}, {start}{other}}}]}}")
    assert [code for code, *_ in found] == (["nat-conflict"] if clash else [])
    other_protocol = start.replace("tcp", "udp")
    assert mistakes(f"{{forward: [{start}{one}}}, {other_protocol}{other}}}]}}") == []


def test_nat64_is_refused_by_name():
    _, (diagnostic,) = read(HEAD + "nat: {nat64: 64:ff9b::/96}")
    assert (diagnostic.code, diagnostic.message) == (
        "not-built-in",
        "translation between IPv6 and IPv4 (NAT64) is not built in",
    )
    assert "Jool" in diagnostic.hint


def test_hints_say_which_interfaces_there_are():
    _, (leaving,) = read(HEAD + "nat: {masquerade: lan0}")
    assert leaving.hint == "the outside interfaces of `attach` are wan0, wan1"
    _, (none,) = read("twinwall: 1\nattach: {inside: lan0}\nnat: {masquerade: lan0}")
    assert none.hint == "the outside interfaces of `attach` are none"
