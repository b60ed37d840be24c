"""Every reason is reached, each by the packet and the policy that its sentence describes."""

from __future__ import annotations

import pytest

from tests.engine.world import World, raw, stateful
from twinwall.engine.engine import Settings
from twinwall.path.layout import LINK_ETHERNET, LINK_RAW, LINK_UNSUPPORTED
from twinwall.path.reason import Reason, Verdict

FORWARD = "stateless: {default: forward}\n"
SYN = "tcp 10.0.0.5:40000 > 198.51.100.7:443 S"
SYN6 = "tcp [2001:db8::5]:40000 > [2001:db8::7]:443 S"
QUERY = "udp 10.0.0.5:40000 > 198.51.100.53:53 len 40"


def damaged(text: str, **changes: int) -> bytes:
    """The packet with some of its bytes changed: `at_6=5` sets byte 6."""
    data = raw(text)
    for place, value in changes.items():
        data[int(place.removeprefix("at_"))] = value
    return bytes(data)


ARP = bytes(12) + b"\x08\x06" + bytes(28)
EIGHT_EXTENSIONS = bytes.fromhex("60000000005000400000")[:6] + b"\x3c\x40" + raw(SYN6)[8:40] + b"\x3c\0\0\0\0\0\0\0" * 10

MALFORMED = {
    Reason.NOT_IP: (ARP, LINK_ETHERNET),
    Reason.TRUNCATED_LINK: (ARP[:13], LINK_ETHERNET),
    Reason.TOO_MANY_TAGS: (bytes(12) + b"\x81\x00\x00\x01" * 5 + b"\x08\x00" + bytes(raw(SYN)), LINK_ETHERNET),
    Reason.UNSUPPORTED_LINK: (ARP, LINK_UNSUPPORTED),
    Reason.TRUNCATED_IP: (bytes(raw(SYN)[:19]), LINK_RAW),
    Reason.BAD_IP_VERSION: (damaged(SYN, at_0=0x55), LINK_RAW),
    Reason.BAD_IP_HEADER_LENGTH: (damaged(SYN, at_0=0x44), LINK_RAW),
    Reason.BAD_IP_TOTAL_LENGTH: (damaged(SYN, at_3=41), LINK_RAW),
    Reason.TRUNCATED_EXTENSION: (damaged(SYN6, at_6=60, at_41=9), LINK_RAW),
    Reason.TOO_MANY_EXTENSIONS: (EIGHT_EXTENSIONS, LINK_RAW),
    Reason.BAD_FRAGMENT: (bytes(raw("udp 10.0.0.5:1 > 198.51.100.53:53 frag 65528 len 40")), LINK_RAW),
    Reason.TRUNCATED_TRANSPORT: (damaged(SYN, at_3=39)[:39], LINK_RAW),
    Reason.BAD_TCP_HEADER_LENGTH: (damaged(SYN, at_32=0x40), LINK_RAW),
    Reason.BAD_UDP_LENGTH: (damaged(QUERY, at_25=200), LINK_RAW),
}


@pytest.mark.parametrize("reason", MALFORMED, ids=lambda reason: reason.name)
def test_malformed(reason):
    account = World(FORWARD).send(*MALFORMED[reason])
    assert account.decision["reason"] == reason
    assert account.decision["verdict"] == (Verdict.PASS if reason is Reason.NOT_IP else Verdict.DROP)


def test_snapped():
    assert World(FORWARD).send(bytes(raw(SYN)[:30]), wire=40).decision["reason"] == Reason.SNAPPED


@pytest.mark.parametrize(
    ("place", "reason"), [("at_10", Reason.BAD_IP_CHECKSUM), ("at_36", Reason.BAD_TRANSPORT_CHECKSUM)], ids=str
)
def test_wrong_checksums(place, reason):
    data = damaged(SYN, **{place: 0x77})
    assert World(FORWARD, Settings(checksums=True)).send(data).decision["reason"] == reason
    assert World(FORWARD).send(data).decision["reason"] == Reason.NO_RULE, "checked only when asked"


def test_stateless_rule_and_defaults():
    world = World('stateless:\n  default: drop\n  fragments: pass\n  rules: "pass tcp any any -> any 443 (sid:1;)"\n')
    assert world.say(SYN).decision["reason"] == Reason.STATELESS_RULE
    assert world.say(QUERY).decision["reason"] == Reason.STATELESS_DEFAULT
    assert world.say(QUERY + " frag 0+").decision["reason"] == Reason.STATELESS_FRAGMENT_DEFAULT


def test_fragment_incomplete():
    world = World(FORWARD)
    assert world.say(QUERY + " frag 0+").pending
    world.engine.finish()
    assert world.reason(1) is Reason.FRAGMENT_INCOMPLETE


def test_fragments_that_wait_too_long_are_given_up():
    world = World(FORWARD)
    world.say(QUERY + " frag 0+", SYN + " after 31s")
    assert world.reason(1) is Reason.FRAGMENT_INCOMPLETE


def test_fragment_overlap():
    world = World(FORWARD)
    world.say(QUERY + " frag 0+", "> frag 40 len 32")
    assert [world.reason(1), world.reason(2)] == [Reason.FRAGMENT_OVERLAP] * 2


def test_fragment_limit():
    world = World(FORWARD + "tracking: {datagrams: 1}\n")
    world.say(QUERY + " frag 0+ id 1", QUERY + " frag 0+ id 2")
    assert world.reason(1) is Reason.FRAGMENT_LIMIT


def test_fragment_duplicate():
    world = World(FORWARD)
    world.say(QUERY + " frag 0+", "> frag 0+ len 40")
    assert world.reason(2) is Reason.FRAGMENT_DUPLICATE


def test_invalid():
    assert World(FORWARD).say(f"{SYN}F").decision["reason"] == Reason.INVALID


def test_midstream():
    account = World(FORWARD).say("tcp 10.0.0.5:40000 > 198.51.100.7:443 . len 10")
    assert account.decision["reason"] == Reason.MIDSTREAM


def test_table_full():
    world = World(FORWARD + "tracking: {connections: 1}\n")
    world.say(SYN, "< S.", "> .")
    account = world.say("tcp 10.0.0.5:40001 > 198.51.100.7:443 S")
    assert account.decision["reason"] == Reason.TABLE_FULL
    assert account.decision["verdict"] == Verdict.DROP


def test_a_packet_rule():
    world = World(stateful("drop tcp any any -> any 443 (flow:to_server; sid:1;)"))
    account = world.say(SYN)
    assert (account.decision["reason"], account.decision["scope"]) == (Reason.RULE, 0)


@pytest.mark.parametrize(("action", "later"), [("pass", Reason.FLOW_PASS), ("drop", Reason.FLOW_DROP)])
def test_a_rule_for_the_flow(action, later):
    world = World(stateful(f"{action} tcp any any -> any 443 (sid:1;)"))
    account = world.say(SYN)
    assert (account.decision["reason"], account.decision["scope"]) == (Reason.RULE_FLOW, 1)
    assert world.say("> S").decision["reason"] == later


@pytest.mark.parametrize(
    ("default", "reason"),
    [
        ("drop_strict", Reason.DEFAULT_DROP_STRICT),
        ("drop_established", Reason.DEFAULT_DROP_ESTABLISHED),
        ("drop_established_app_layer", Reason.DEFAULT_DROP_APP_LAYER),
        ("drop_established_app_layer_to_server", Reason.DEFAULT_DROP_APP_LAYER_TO_SERVER),
    ],
)
def test_default_actions(default, reason):
    world = World(FORWARD + f"stateful: {{order: strict, default: [{default}]}}\n")
    assert world.say(QUERY).decision["reason"] == reason


def test_no_rule():
    account = World(FORWARD).say(SYN)
    assert (account.decision["reason"], account.decision["verdict"]) == (Reason.NO_RULE, Verdict.PASS)


def test_no_reason_is_left_out():
    """Every member of `Reason` is named in this file's tests above."""
    with open(__file__) as file:
        text = file.read().split("def test_no_reason_is_left_out")[0]
    assert [reason.name for reason in Reason if f"Reason.{reason.name}" not in text] == []
