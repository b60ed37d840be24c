"""The list grammar, held against Suricata address by address."""

from __future__ import annotations

import ipaddress

import pytest

from tests.rules.suricata_oracle import alerts, udp
from twinwall.policy.codes import Code
from twinwall.rules.expression import DEEPEST
from twinwall.rules.located import Located, Mistake
from twinwall.rules.variables import Variables

HOME = {
    "HOME_NET": (Located("[192.168.0.0/16,10.0.0.0/8,172.16.0.0/12]", "f"),),
    "EXTERNAL_NET": (Located("!$HOME_NET", "f"),),
}
SOURCES = ["10.0.0.5", "10.1.2.1", "10.1.1.1", "11.0.0.1", "11.0.0.9", "192.168.3.4", "2001:db8::1", "2001:db9::1"]
ADDRESSES = [
    "any",
    "10.0.0.0/8",
    "10.0.0.5",
    "0.0.0.0/0",
    "::/0",
    "10.9.9.9/8",
    "10.0.0.0/255.0.0.0",
    "11.0.0.0-11.0.0.5",
    "[11.0.0.0-11.0.0.9,!11.0.0.1]",
    "!10.0.0.0/8",
    "!2001:db8::/32",
    "![10.0.0.0/8,2001:db8::/32]",
    "[!10.0.0.0/8,!2001:db8::/32]",
    "[any,!10.0.0.0/8]",
    "[10.0.0.0/8,![10.1.0.0/16,!10.1.1.0/24]]",
    "![10.1.0.0/16,!10.1.1.0/24]",
    "![!10.0.0.0/8]",
    "[10.0.0.0/8,[11.0.0.0/8,!10.1.0.0/16]]",
    "[10.0.0.0/8,!10.1.0.0/16,10.1.1.0/24]",
    "[11.0.0.0/8,$EXTERNAL_NET]",
    "[11.0.0.0/8,!$HOME_NET]",
    "[11.0.0.0/8,!2001:db8::/32]",
    "!$EXTERNAL_NET",
    "$EXTERNAL_NET",
    "[$HOME_NET,!10.1.0.0/16]",
    "10.0.0.0/8,11.0.0.0/8",
    "[10.0.0.5,]",
]
PORTS = [
    "any",
    "1000",
    "1000:1002",
    ":1001",
    "1002:",
    ":",
    "!1001",
    "[1000,1003]",
    "[1000:1003,!1001]",
    "![1000,1001]",
    "[!1000,!1001]",
    "[1000,[1001,1002]]",
    "[any,!1002]",
    "![!1001]",
    "01001",
]


def test_addresses_match_the_packets_that_suricata_matches(tmp_path):
    packets = [
        udp(source, "2001:db8::99" if ":" in source else "192.0.2.1", sport=1000 + at) for at, source in enumerate(SOURCES)
    ]
    rules = [f"alert udp {text} any -> any any (dsize:1; sid:{at};)" for at, text in enumerate(ADDRESSES, 1)]
    found, _ = alerts(tmp_path, rules, packets)
    variables = Variables(HOME)
    for at, text in enumerate(ADDRESSES, 1):
        ours = variables.addresses(text)
        theirs = {source for packet, source in enumerate(SOURCES, 1) if found[packet, at]}
        addresses = [ipaddress.ip_address(source) for source in SOURCES]
        assert {str(each) for each in addresses if ours.contains(each.version, int(each))} == theirs, text


def test_ports_match_the_packets_that_suricata_matches(tmp_path):
    ports = [999, 1000, 1001, 1002, 1003, 1004]
    packets = [udp("10.0.0.1", "10.0.0.2", sport=port, dport=port) for port in ports]
    rules = [f"alert udp any {text} -> any any (dsize:1; sid:{at};)" for at, text in enumerate(PORTS, 1)]
    found, _ = alerts(tmp_path, rules, packets)
    for at, text in enumerate(PORTS, 1):
        ours = Variables().ports(text)
        theirs = {port for packet, port in enumerate(ports, 1) if found[packet, at]}
        assert {port for port in ports if ours.contains(port)} == theirs, text


@pytest.mark.parametrize(
    ("text", "code", "start"),
    [
        ("[10.0.0.1,,10.0.0.2]", Code.BAD_ADDRESS, 10),
        ("[10.0.0.1 10.0.0.2]", Code.BAD_ADDRESS, 10),
        ("[10.0.0.1", Code.BAD_ADDRESS, 0),
        ("10.0.0.1]", Code.BAD_ADDRESS, 8),
        ("[]", Code.BAD_ADDRESS, 1),
        ("!!10.0.0.1", Code.BAD_ADDRESS, 1),
        ("[10.0.0.1,!]", Code.BAD_ADDRESS, 11),
        ("!any", Code.EMPTY_SET, 0),
        ("[10.0.0.1,!10.0.0.0/8]", Code.EMPTY_SET, 0),
        ("[10.0.0.1,nonsense]", Code.BAD_ADDRESS, 10),
        ("[" * (DEEPEST + 1) + "10.0.0.1" + "]" * (DEEPEST + 1), Code.TOO_DEEP, DEEPEST),
    ],
)
def test_mistakes_stand_at_their_place(text, code, start):
    with pytest.raises(Mistake) as caught:
        Variables().addresses(text)
    assert (caught.value.code, caught.value.start) == (code, start)
