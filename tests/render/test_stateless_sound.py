"""The chains that tell malformed packets: complete, and not too deep for the kernel.  What they decide: test_stateless.py."""

from __future__ import annotations

import re
from functools import cache

from twinwall.path.reason import Reason
from twinwall.policy.model import Action, Attach, Policy
from twinwall.render.stateless import stateless_table
from twinwall.render.stateless_sound import FIRST, LATER, MALFORMED, WHOLE, counter, is_piece, mark, sound_chains

TEXT = stateless_table(Policy(), Attach(inside=("lan0",)), 1).body
CHAINS = {
    name: set(re.findall(r"goto (\w+)", body)) for name, body in re.findall(r"\tchain (\w+) \{\n(.*?)\n\t\}", TEXT, re.DOTALL)
}
DEEPEST = 16  # chains in a row that the kernel allows


@cache
def depth(name: str) -> int:
    return 1 + max((depth(each) for each in CHAINS[name]), default=0)


def test_every_chain_exists_that_is_gone_to():
    assert set().union(*CHAINS.values()) <= set(CHAINS)


def test_no_way_is_too_deep_for_the_kernel():
    assert depth("ingress") <= DEEPEST - 2, "a class of protocols is one more, and something must be left"


def test_every_reason_has_a_chain_that_counts_and_drops():
    for reason in MALFORMED:
        (chain,) = (each for each in sound_chains("accept") if each.name == reason.name.lower())
        assert chain.rules == (f"counter name {counter(Action.DROP, reason)} drop",)
        assert f"counter {counter(Action.DROP, reason)} {{" in TEXT


def test_every_reason_that_has_a_chain_is_reached():
    gone_to = set().union(*CHAINS.values())
    assert {reason.name.lower() for reason in MALFORMED} <= gone_to
    assert Reason.SNAPPED not in MALFORMED, "a frame in the kernel is whole"


def test_pieces_are_remembered_beside_the_stamps():
    assert mark(WHOLE) == "meta mark set meta mark & 0xf0000000"
    assert mark(LATER) == "meta mark set meta mark & 0xf0000000 | 2"
    assert is_piece(FIRST, LATER) == "meta mark & 3 { 1, 2 }"
