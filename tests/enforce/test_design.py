"""Generations, forms, and what is refused before anything is made."""

from dataclasses import replace

import pytest

from tests.enforce.rig import POLICY, FakeKernel, plan_of, source
from twinwall.enforce.design import design, numbered, standing
from twinwall.enforce.source import Kind, Source
from twinwall.enforce.state import InForce, Preference, State
from twinwall.live.error import EnforcementError
from twinwall.render.marks import slot


class Ways:
    """What the machine can do."""

    def __init__(self, why="", queue="none"):
        self.why = why
        self.kind = queue

    def stateless(self, trial):
        assert trial.force.way == "xdp"
        return self.why

    def queue(self, policy):
        return self.kind


def designed(old=None, why="", **options):
    text = source()
    return design(text, text.policy(), old, Ways(why), **options).force


def in_force(generation, kept=()):
    return InForce(plan_of(1).force.chosen, generation, kept)


def test_the_first_is_generation_one_in_xdp():
    force = designed()
    assert (force.generation, force.way, force.why, force.kept) == (1, "xdp", "", ())


@pytest.mark.parametrize("generation", range(1, 8))
def test_the_next_has_the_other_slot(generation):
    assert slot(designed(in_force(generation)).generation) != slot(generation)


def test_keep_adds_the_generation_in_force_to_those_kept():
    force = designed(in_force(3, (1, 2)), keep=True)
    assert force.kept == (1, 2, 3)
    assert force.generation not in force.kept
    assert designed(in_force(3, (1, 2))).kept == ()


def test_too_many_kept_generations_are_refused():
    with pytest.raises(EnforcementError, match="too many") as caught:
        designed(in_force(1, (2, 4, 6)), keep=True)
    assert "without --keep" in caught.value.remedy


def test_without_xdp_it_is_a_chain_and_says_why():
    force = designed(why="no Ethernet header")
    assert (force.way, force.why) == ("nft", "no Ethernet header")


def test_who_insists_on_xdp_is_refused_with_the_reason():
    with pytest.raises(EnforcementError, match="no Ethernet header"):
        designed(why="no Ethernet header", preference=Preference.XDP)


def test_who_asks_for_nft_gets_it():
    force = designed(preference=Preference.NFT)
    assert (force.way, force.why, force.chosen.stateless) == ("nft", "", Preference.NFT)


def test_what_stands_is_what_the_kernel_says_and_the_state_knows(tmp_path):
    state, kernel = State(tmp_path / "state"), FakeKernel()
    assert standing(state, kernel) is None
    kernel.ruleset = plan_of(2).marker
    with pytest.raises(EnforcementError, match="does not know"):
        standing(state, kernel)
    state.set_current(plan_of(2).force)
    assert standing(state, kernel) == plan_of(2).force
    kernel.ruleset = None
    assert standing(state, kernel) is None, "a flushed ruleset is none"


def test_a_file_cannot_be_named_so_that_it_makes_lines_of_its_own():
    text = Source(Kind.POLICY, (("a\n\x1b[2J\udcff.yaml", POLICY.format(port=443)),))
    assert design(text, text.policy(), None, Ways()).force.chosen.name == "a??[2J?.yaml"


def test_flow_bits_keep_the_numbers_that_connections_know_them_by():
    old = replace(in_force(1), labels=("web", "seen"))
    assert numbered(("late", "seen"), old) == ("web", "seen", "late")
    assert numbered(("late", "seen"), None) == ("late", "seen")


def test_more_flow_bits_than_labels_one_policy_after_the_other_are_refused():
    old = replace(in_force(1), labels=tuple(f"bit{number}" for number in range(128)))
    assert numbered(("bit5",), old) == old.labels
    with pytest.raises(EnforcementError, match="129 flow bits") as caught:
        numbered(("one more",), old)
    assert "twinwall stop" in caught.value.remedy
