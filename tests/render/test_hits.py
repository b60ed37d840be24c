"""What a match does: only what the policy's words can ask for is rendered, in the order of `path.apply`."""

from __future__ import annotations

from twinwall.render.chains import Chains
from twinwall.render.hits import Hits, Uses, action
from twinwall.render.marks import ACTION_SHIFT, LAST, REPORTS, SCOPE_FLOW, RuleAction
from twinwall.render.verdicts import Ends


def word(which: RuleAction, bits: int = 0) -> int:
    return 1 | which << ACTION_SHIFT | bits


def chains_for(*words: int, keep: bool = False, fast: bool = False) -> tuple[Chains, list[str]]:
    chains = Chains()
    hits = Hits(chains, Ends(chains, None), Uses.of(words), 1, 1776)
    name = hits.hit(keep=keep, fast=fast)
    body = chains.text().split(f"chain {name} {{\n")[1].split("\n\t}")[0]
    return chains, [line.strip() for line in body.splitlines()]


def test_a_policy_of_plain_passes_needs_one_line():
    _, lines = chains_for(word(RuleAction.PASS))
    assert lines == [f"meta mark & 0x00700000 vmap {{ {action(RuleAction.PASS)} : goto passed }}"]


def test_a_report_comes_before_everything_and_an_alert_goes_on():
    _, lines = chains_for(word(RuleAction.ALERT, REPORTS), word(RuleAction.PASS, SCOPE_FLOW))
    assert lines[0].endswith("jump report")
    assert lines[1] == f"meta mark & 0x00700000 == {action(RuleAction.ALERT)} return"
    assert lines[2].endswith("jump mark_flow")


def test_a_drop_that_is_the_last_word_drops_at_once():
    chains, lines = chains_for(word(RuleAction.DROP, LAST))
    assert lines[-1].endswith(f"{action(RuleAction.DROP)} : goto drop_now }}")
    assert "priority" not in chains.text()


def test_a_drop_that_is_not_is_noted_and_a_later_pass_ends_the_walk():
    chains, lines = chains_for(word(RuleAction.DROP), word(RuleAction.PASS))
    assert "meta priority & 0xffff0000 == 0x77170000 goto overruled" in lines
    assert f"meta mark & 0x00700000 == {action(RuleAction.PASS)} goto settle" in chains.text()


def test_a_pass_before_rules_that_set_bits_returns():
    _, lines = chains_for(word(RuleAction.PASS), word(RuleAction.DROP, LAST), keep=True)
    assert not any(f"{action(RuleAction.PASS)} : goto" in line for line in lines)


def test_only_packets_in_their_final_place_may_learn_to_be_fast():
    slow, _ = chains_for(word(RuleAction.PASS))
    fast, _ = chains_for(word(RuleAction.PASS), fast=True)
    assert "jump fast" not in slow.text()
    assert "jump fast" in fast.text()


def test_a_packet_for_the_inspector_keeps_its_mark():
    chains, lines = chains_for(word(RuleAction.INSPECT))
    assert lines[0] == f"meta mark & 0x00700000 == {action(RuleAction.INSPECT)} goto inspect"
    assert "\tchain inspect {\n\t\taccept\n" in chains.text()
