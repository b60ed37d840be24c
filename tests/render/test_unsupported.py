from __future__ import annotations

import pytest

from twinwall.policy.diagnostic import PolicyError, Span
from twinwall.policy.model import Policy
from twinwall.render.unsupported import Unsupported, refuse


def test_everything_is_refused_at_once_in_the_order_of_the_files():
    later = Unsupported("b cannot be", "leave it out", 7, Span("p.yaml", 9, 1))
    earlier = Unsupported("a cannot be", "leave it out", 8, Span("p.yaml", 2, 1))
    with pytest.raises(PolicyError) as raised:
        refuse([later, earlier], Policy())
    assert str(raised.value) == (
        "p.yaml:2:1: error[not-enforceable]: sid 8: a cannot be\n    hint: leave it out\n"
        "p.yaml:9:1: error[not-enforceable]: sid 7: b cannot be\n    hint: leave it out"
    )


def test_a_setting_has_the_policys_name_for_a_place():
    assert str(Unsupported("x", "y").diagnostic(Policy(name="edge"))).startswith("edge:1:1: ")


def test_nothing_to_refuse():
    refuse([], Policy())
