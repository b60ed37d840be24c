"""The fast path: which connections get onto it, in which directions, and that it counts what it passes."""

from __future__ import annotations

import pytest

from tests.oracle.kernel import why_unavailable
from tests.render.conversing import ANSWER, HANDSHAKE, MORE, QUESTION, UDP, Gateway, Talk, counted, load, marks
from twinwall.render.chains import Chains
from twinwall.render.fast import render_fast_set
from twinwall.render.marks import CT_FAST_ORIGINAL, CT_FAST_REPLY, CT_FAST_REPLY_NO_RULE, CT_PASS, CT_RULE

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
    listed = talk.gateway.router.run("nft", "list", "set", "inet", "twinwall", "flow_hits")
    assert 0 < int(listed.split("counter packets ")[1].split()[0]) < 8


@pytest.mark.kernel
def test_udp_is_fast_once_it_was_answered(talk: Talk):
    load(talk.gateway, "pass udp any any <> any 53 (flow:stateless;)")
    assert all(talk.send(UDP.udp(), UDP.udp()))
    assert marks(talk.gateway, "udp")[0] & FAST == 0
    assert all(talk.send(UDP.swapped().udp(), UDP.udp(), UDP.swapped().udp(), UDP.udp()))
    assert marks(talk.gateway, "udp")[0] & FAST == CT_FAST_ORIGINAL | CT_FAST_REPLY


def test_rules_that_pass_both_ways_are_a_set_if_there_are_any():
    assert render_fast_set(Chains(), 1, []) == ""
    assert "7 . 7," in render_fast_set(Chains(), 1, [7, 9])
