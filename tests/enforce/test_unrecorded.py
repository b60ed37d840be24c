"""A policy is loaded again in its own generation, whatever is there of it; nothing is written."""

import pytest

from tests.enforce.rig import FakeKernel, plan_of
from twinwall.enforce.unrecorded import load_unrecorded
from twinwall.live.error import EnforcementError

MADE = plan_of(3)


class Kernel(FakeKernel):
    """Refuses to stage what it holds already, as Linux does with names that are taken."""

    def __init__(self):
        super().__init__()
        self.forgotten = []

    def forget(self, generation):
        super().forget(generation)
        self.forgotten.append((generation, self.ruleset))

    def prepare(self, new):
        if new is not None and new.marker == self.ruleset:
            raise EnforcementError("stage", "it is there", "take it away first")
        super().prepare(new)


@pytest.mark.parametrize("holds", ["nothing", "it", "another"])
def test_what_is_on_record_takes_the_place_of_whatever_is_there(holds):
    kernel = Kernel()
    kernel.ruleset = {"nothing": None, "it": MADE.marker, "another": plan_of(2).marker}[holds]
    load_unrecorded(kernel, MADE)
    assert kernel.forgotten == [(3, MADE.marker)], "what a damaged ruleset has passed is judged anew, once it is gone"
    assert kernel.ruleset == MADE.marker
    assert kernel.tidy


def test_a_refusal_is_raised():
    kernel = Kernel()
    kernel.refuse = {"check"}
    with pytest.raises(EnforcementError, match="does not want"):
        load_unrecorded(kernel, MADE)
    assert kernel.ruleset is None
