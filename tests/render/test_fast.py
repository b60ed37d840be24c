"""The fast path: which connections get onto it, in which directions, and that it counts what it passes."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from tests.conntrack.segments import icmp, ip
from tests.oracle.kernel import why_unavailable
from tests.render.conversing import ANSWER, HANDSHAKE, MORE, OPTIONS, QUESTION, UDP, Gateway, Talk, counted, load, marks
from twinwall.render.chains import Chains
from twinwall.render.fast import KNOWN, render_fast_set
from twinwall.render.marks import CT_FAST_ORIGINAL, CT_FAST_REPLY, CT_FAST_REPLY_NO_RULE, CT_PASS, CT_RULE, STATELESS_PASS

FAST = CT_FAST_ORIGINAL | CT_FAST_REPLY | CT_FAST_REPLY_NO_RULE
CASES = {
    "one rule for the client, none for the server": (
        ["pass tcp any any -> any 443 (flow:to_server;)"], "drop_established", CT_FAST_ORIGINAL | CT_FAST_REPLY_NO_RULE | 1,
    ),
    "one rule for both": (
        ["pass tcp any any <> any 443 (flow:stateless;)"], "drop_strict", CT_FAST_ORIGINAL | CT_FAST_REPLY | 1,
    ),
    "a rule for each: there is room for one": (
        ["pass tcp any any -> any 443 (flow:to_server;)", "pass tcp any 443 -> any any (flow:to_client;)"],
        "drop_strict", CT_FAST_ORIGINAL | 1,
    ),
    "a rule that looks at the packet": (
        ["drop tcp any any -> any any (flow:established; window:0;)", "pass tcp any any <> any 443 (flow:stateless;)"],
        "drop_strict", 0,
    ),
    "a rule that reports": (["alert tcp any any -> any 443 (flow:stateless;)", "pass tcp any any <> any 443 (flow:stateless;)"],
                            "drop_strict", CT_FAST_REPLY | 2),
    "no rule at all": ([], "alert_established", CT_FAST_REPLY_NO_RULE),
    "the flow was passed": (["pass tcp any any -> any 443 ()"], "drop_strict", CT_PASS | 1),
}  # fmt: skip


@pytest.fixture
def talk():
    reason = why_unavailable()
    if reason:
        pytest.skip(reason)
    with Gateway() as gateway:
        yield Talk(gateway)


@pytest.mark.kernel
@pytest.mark.parametrize("case", CASES)
def test_what_a_connection_remembers(talk: Talk, case: str):
    rules, default, wanted = CASES[case]
    load(talk.gateway, *rules, default=default)
    assert talk.send(*HANDSHAKE, QUESTION, ANSWER, MORE) == [True] * 6
    (mark,) = marks(talk.gateway, "tcp")
    assert mark & (FAST | CT_PASS | CT_RULE) == wanted


@pytest.mark.kernel
def test_fast_packets_are_counted_for_their_rule_and_their_reason(talk: Talk):
    load(talk.gateway, "pass tcp any any <> any 443 (flow:stateless;)")
    assert all(talk.send(*HANDSHAKE, QUESTION, ANSWER, MORE, MORE, MORE))
    assert counted(talk.gateway, "pass_rule") == 8
    for name, kind in (("flow_hits", "set"), (KNOWN, "map")):
        listed = talk.gateway.router.run("nft", "list", kind, "inet", "twinwall", name)
        assert 0 < int(listed.split("counter packets ")[1].split()[0]) < 8


@pytest.mark.kernel
def test_one_answer_is_enough_for_both_directions_of_a_rule(talk: Talk):
    load(talk.gateway, "pass udp any any <> any 53 (flow:stateless;)")
    assert all(talk.send(UDP.udp(), UDP.swapped().udp(), UDP.udp()))
    assert marks(talk.gateway, "udp")[0] & (FAST | CT_RULE) == CT_FAST_ORIGINAL | CT_FAST_REPLY | 1


@pytest.mark.kernel
def test_each_direction_by_a_rule_of_its_own_keeps_the_original_ones(talk: Talk):
    load(talk.gateway, "pass udp any any -> any 53 (flow:stateless;)", "pass udp any 53 -> any any (flow:stateless;)")
    assert all(talk.send(UDP.udp(), UDP.swapped().udp(), UDP.udp(), UDP.swapped().udp()))
    assert marks(talk.gateway, "udp")[0] & (FAST | CT_RULE) == CT_FAST_ORIGINAL | 1


@pytest.mark.kernel
def test_udp_is_fast_once_it_was_answered(talk: Talk):
    load(talk.gateway, "pass udp any any <> any 53 (flow:stateless;)")
    assert all(talk.send(UDP.udp(), UDP.udp()))
    assert marks(talk.gateway, "udp")[0] & FAST == 0
    assert all(talk.send(UDP.swapped().udp(), UDP.udp(), UDP.swapped().udp(), UDP.udp()))
    assert marks(talk.gateway, "udp")[0] & FAST == CT_FAST_ORIGINAL | CT_FAST_REPLY


SOMEBODY = """
table inet somebody {
  chain routing {
    type filter hook prerouting priority mangle; policy accept;
    meta mark set 0xc0000001
  }
}
"""


@pytest.mark.kernel
def test_the_flow_that_a_rule_has_decided_is_found_in_one_lookup(talk: Talk):
    load(talk.gateway, "pass tcp any any -> any 443 ()", "drop udp any any -> any 53 ()")
    assert all(talk.send(*HANDSHAKE, QUESTION, ANSWER))
    assert not any(talk.send(UDP.udp(), UDP.udp()))
    listed = talk.gateway.router.run("nft", "list", "map", "inet", "twinwall", KNOWN)
    assert re.findall(r'packets (\d+) bytes \d+ comment "(sid \d)" : (\w+)', listed) == [
        ("4", "sid 1", "accept"),
        ("0", "sid 2", "drop"),  # the first packet was dropped, and with it its connection
    ]
    assert counted(talk.gateway, "pass_flow_pass") == 4
    assert counted(talk.gateway, "pass_rule_flow") == 1


@pytest.mark.kernel
@pytest.mark.parametrize("keyword", ["", "flow:stateless;"])
def test_an_error_about_a_passed_flow_is_judged_by_the_flow_or_by_the_rules(talk: Talk, keyword: str):
    """A verdict on the flow holds for its errors; that its packets pass does not."""
    load(talk.gateway, f"pass tcp any any <> any 443 ({keyword})")
    assert all(talk.send(*HANDSHAKE, QUESTION, ANSWER))
    error = ip("198.51.100.7", "10.0.0.1", 1, icmp(3, 1, 0, 0, QUESTION))
    assert talk.send(error) == [not keyword]


@pytest.mark.kernel
def test_a_mark_that_somebody_else_sets_costs_the_shortcut_and_changes_nothing(talk: Talk):
    load(talk.gateway, "pass tcp any any -> any 443 ()", more=SOMEBODY)
    assert all(talk.send(*HANDSHAKE, QUESTION, ANSWER))
    with_next = replace(OPTIONS, generation=2)
    load(talk.gateway, "drop tcp any any -> any 443 ()", options=with_next, more=SOMEBODY)
    assert not any(talk.send(QUESTION, ANSWER, MORE))


@pytest.mark.kernel
def test_a_mark_that_somebody_else_sets_does_not_say_that_the_stateless_stage_passed_the_packet(talk: Talk):
    """`CONNMARK --restore-mark`, for example, where a direction's rules have been asked."""
    load(talk.gateway, "drop udp any any -> any 53 ()", more=SOMEBODY.replace("0xc0000001", f"{STATELESS_PASS:#x}"))
    assert not any(talk.send(UDP.udp(), UDP.swapped().udp()))


def test_rules_that_pass_both_ways_are_a_set_if_there_are_any():
    assert render_fast_set(Chains(), 1, []) == ""
    assert "7 . 7," in render_fast_set(Chains(), 1, [7, 9])
