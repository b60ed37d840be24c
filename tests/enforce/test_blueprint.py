"""What is to be in the kernel: made again by another process, it is the same."""

from __future__ import annotations

from dataclasses import replace

import pytest

from twinwall.enforce.blueprint import Blueprint
from twinwall.enforce.marker import Marker
from twinwall.enforce.outline import Outline
from twinwall.enforce.source import Kind, Source
from twinwall.enforce.state import Chosen, InForce, State
from twinwall.policy.diagnostic import PolicyError

TEXT = """twinwall: 1
stateful:
  order: strict
  rules: |
    pass tcp any any -> any 443 (flowbits:set,seen; sid:1;)
    pass udp any any -> any 53 (flowbits:isset,seen; sid:2;)
attach: {mode: gateway, inside: [in0], outside: [out0]}
timeouts: {udp: 7s}
"""


def made(text=TEXT, **force):
    source = Source(Kind.POLICY, (("policy.yaml", text),))
    return Blueprint(InForce(Chosen(source.digest, "policy.yaml"), **{"generation": 1, **force}), source)


def test_made_again_from_the_state_folder_it_is_the_same(tmp_path):
    state, first = State(tmp_path / "state"), made(generation=5, way="nft", kept=(2,), labels=("old", "seen"))
    state.keep_source(first.source)
    state.set_current(first.force)
    force = State(tmp_path / "state").current()
    again = Blueprint(force, state.source(force.chosen.digest))
    assert again.marker == first.marker == Marker(first.source.digest, 5)
    assert again.ruleset.text == first.ruleset.text
    assert again.settings == first.settings
    assert again.outline == first.outline


def test_the_ruleset_says_whose_it_is():
    blueprint = made(generation=3)
    assert str(blueprint.marker) in blueprint.ruleset.text


@pytest.mark.parametrize("other", [{"generation": 2}, {"kept": (3,)}, {"way": "nft"}, {"labels": ("old", "seen")}])
def test_every_part_of_its_form_is_in_its_ruleset(other):
    assert made(**other).ruleset.text != made().ruleset.text


def test_what_another_processor_has_rendered_is_what_would_have_been_rendered_here():
    begun = made().begin()
    assert begun.ruleset.text == made().ruleset.text
    assert begun.ruleset is begun.ruleset


def test_what_cannot_be_rendered_is_told_by_whoever_asks_for_it():
    blueprint = made(TEXT + "tracking: {flows: rules}\n").begin()
    with pytest.raises(PolicyError, match="flows") as caught:
        _ = blueprint.ruleset
    assert "hint: write flows: linux" in str(caught.value)


def test_a_text_with_mistakes_says_where_they_are():
    with pytest.raises(PolicyError, match=r"policy\.yaml:5:"):
        _ = made(TEXT.replace("pass tcp", "pas tcp")).policy


def test_a_policy_that_was_just_read_is_not_read_again():
    blueprint = made()
    policy = replace(blueprint.source.policy(), name="at hand")
    assert made().primed(policy).policy is policy
    assert made().primed(policy).outline == Outline.of(policy) == blueprint.outline


def test_settings_and_places_are_the_policy_s():
    blueprint = made()
    assert blueprint.attach.interfaces == ("in0", "out0")
    assert {each.value for each in blueprint.settings if each.name == "net.netfilter.nf_conntrack_udp_timeout"} == {"7"}


def test_both_tables_hold_the_policy_s_rules():
    blueprint = made(TEXT + "stateless: {rules: 'drop udp any any -> any 9 (sid:3;)'}\n")
    assert blueprint.compiled.stateless is blueprint.stateless
    assert len(blueprint.policy.stateless.rules) == 1
