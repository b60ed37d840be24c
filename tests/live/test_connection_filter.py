"""The filter language of connections."""

from __future__ import annotations

import re
from ipaddress import ip_address
from pathlib import Path

import pytest

from twinwall.live.connection import ConntrackEntry, FiveTuple, Status
from twinwall.live.connection_filter import FilterError, parse_filter
from twinwall.render.marks import CT_DROP, CT_FAST_REPLY, CT_GENERATION_SHIFT, CT_PASS

ONE_GENERATION = 1 << CT_GENERATION_SHIFT


def ends(source, sport, destination, dport, protocol=6):
    return FiveTuple(ip_address(source).packed, ip_address(destination).packed, protocol, sport, dport)


def entry(original, reply=None, **fields):
    return ConntrackEntry(original, reply or original.reversed(), fields.pop("status", Status.SEEN_REPLY), **fields)


WEB = entry(ends("10.0.0.1", 40000, "192.0.2.7", 443), state="ESTABLISHED", mark=ONE_GENERATION | CT_PASS | 5)
DNS = entry(ends("10.0.0.2", 5353, "192.0.2.53", 53, 17), status=Status(0), mark=ONE_GENERATION | CT_DROP | 6)
SIX = entry(
    ends("2001:db8::1", 40001, "2001:db8:7::2", 22),
    state="SYN_SENT",
    status=Status.ASSURED,
    mark=ONE_GENERATION | CT_FAST_REPLY,
)
PING = entry(ends("10.0.0.1", 9, "192.0.2.7", 8 << 8, 1))
MASKED = entry(
    ends("10.0.0.9", 40002, "203.0.113.1", 8080),
    ends("10.0.0.80", 80, "198.51.100.1", 61000),
    status=Status.SOURCE_NAT | Status.DESTINATION_NAT,
    state="TIME_WAIT",
)
ALL = {"web": WEB, "dns": DNS, "six": SIX, "ping": PING, "masked": MASKED}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", "web dns six ping masked"),
        ("tcp", "web six masked"),
        ("ip 17", "dns"),
        ("icmp", "ping"),
        ("10.0.0.0/30", "web dns ping"),
        ("192.0.2.7", "web ping"),
        ("> 192.0.2.7", "web ping"),
        ("192.0.2.7 > any", ""),
        ("tcp 10.0.0.1 > :443 ESTABLISHED", "web"),
        ("tcp 10.0.0.1 > :443 syn_sent", ""),
        (":53", "dns"),
        (":22-53", "dns six"),
        ("10.0.0.2:5353 > 192.0.2.53:53", "dns"),
        ("2001:db8::/32", "six"),
        ("[2001:db8:7::2]:22", "six"),
        ("[2001:db8:7::2]:23", ""),
        # Both what the client wrote and what became of it.
        ("> 203.0.113.1:8080", "masked"),
        ("> 10.0.0.80:80", "masked"),
        ("198.51.100.1 > any", "masked"),
        ("nat", "masked"),
        ("assured", "six"),
        ("unassured unreplied", "dns masked"),
        ("replied", "web ping"),
        ("pass", "web six"),
        ("drop", "dns"),
        ("sid 100", "web"),
        ("mark 0x5/0xf", "web"),
        ("any > any tcp", None),
    ],
)
def test_it_finds(text, names):
    numbers = {100: frozenset({5, 9})}
    if names is None:
        with pytest.raises(FilterError):
            parse_filter(text)
        return
    test = parse_filter(text, lambda sid: numbers.get(sid, frozenset()))
    assert [name for name, each in ALL.items() if test(each)] == names.split()


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("tcp 10.0.0.300", "no address"),
        (":70000", "no port"),
        (":90-80", "no port"),
        (":http", "no port"),
        ("ESTABLISHD", "no part of a filter"),
        ("ip", "a number from 0 to 255"),
        ("ip 256", "a number from 0 to 255"),
        ("mark", "a number is missing"),
        ("mark five", "no mark"),
        ("sid 100", "name their policy"),
    ],
)
def test_a_mistake_is_named_with_an_example(text, cause):
    with pytest.raises(FilterError, match=cause) as refused:
        parse_filter(text)
    assert "hint: a filter is written like `tcp" in str(refused.value)


def test_a_sid_that_no_rule_has_is_a_mistake():
    with pytest.raises(FilterError, match="no stateful rule has this sid"):
        parse_filter("sid 7", lambda _: frozenset())


def test_every_filter_of_the_documentation_is_understood():
    page = (Path(__file__).parents[2] / "docs" / "connections-and-events.md").read_text()
    table = page.partition("| filter | connections |")[2].partition("\n\n")[0]
    filters = [
        text for line in table.splitlines() for text in re.findall("`([^`]+)`", line.split("|")[1] if "|" in line else "")
    ]
    assert len(filters) > 15
    for text in filters:
        parse_filter(text, lambda _: frozenset({1}))
