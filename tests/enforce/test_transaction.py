"""From one policy to the next, with a kernel that refuses: it holds the old one or the new one, and is tidy."""

from __future__ import annotations

import pytest

from tests.enforce.rig import FakeKernel, plan_of
from twinwall.enforce.transaction import holds, replace
from twinwall.live.error import EnforcementError

OLD, NEW = plan_of(1, 443), plan_of(2, 80)


@pytest.fixture
def kernel():
    made = FakeKernel()
    replace(made, None, OLD)
    return made


@pytest.mark.parametrize("new", [NEW, None])
def test_the_new_policy_takes_the_old_one_s_place_and_nothing_of_that_is_left(kernel, new):
    replace(kernel, OLD, new)
    assert holds(kernel, new)
    assert not holds(kernel, OLD)
    assert kernel.tidy


@pytest.mark.parametrize("step", ["check", "prepare", "switch"])
def test_a_step_that_is_refused_leaves_the_old_one_and_is_told(kernel, step):
    kernel.refuse = {step}
    with pytest.raises(EnforcementError) as caught:
        replace(kernel, OLD, NEW)
    assert caught.value.action == step
    assert holds(kernel, OLD)
    assert kernel.tidy


def test_what_cannot_be_tidied_up_does_not_hide_the_first_refusal(kernel):
    kernel.refuse = {"switch", "settle"}
    with pytest.raises(EnforcementError) as caught:
        replace(kernel, OLD, NEW)
    assert caught.value.action == "switch"
    assert holds(kernel, OLD)


def test_what_the_kernel_cannot_settle_it_gives_up_for_the_old_one(kernel):
    settle = kernel.settle

    def picky(target):
        if target is NEW:
            raise EnforcementError("attach", "the driver does not want to", "another driver")
        settle(target)

    kernel.settle = picky
    with pytest.raises(EnforcementError, match="driver"):
        replace(kernel, OLD, NEW)
    assert holds(kernel, OLD)
    assert kernel.tidy


def test_a_switch_that_happened_counts_though_nft_died_before_it_said_so(kernel):
    switch = kernel.switch

    def unsure(new):
        switch(new)
        raise EnforcementError("load the ruleset", "nft was killed", "try again")

    kernel.switch = unsure
    replace(kernel, OLD, NEW)
    assert holds(kernel, NEW)
    assert kernel.tidy


def test_every_step_may_be_taken_again(kernel):
    for _ in range(2):
        replace(kernel, OLD, NEW)
    assert holds(kernel, NEW)
    assert kernel.tidy
