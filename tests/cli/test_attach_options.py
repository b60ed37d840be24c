"""Where a policy is enforced, said on the command line."""

import click
import pytest

from twinwall.cli.attach_options import attached
from twinwall.policy.model import Attach, InspectionFailure, Mode

OWN = Attach(Mode.GATEWAY, ("lan0",), ("wan0",), on_inspection_failure=InspectionFailure.PASS)


def test_nothing_said_leaves_the_policy_s_own():
    assert attached(OWN, None, (), ()) is OWN
    assert attached(None, None, (), ()) is None


def test_an_export_gets_what_is_said():
    assert attached(None, "bridge", ("p1",), ("p2",)) == Attach(Mode.BRIDGE, ("p1",), ("p2",))


def test_interfaces_replace_both_sides_and_nothing_else():
    said = attached(OWN, None, ("eth0",), ())
    assert (said.mode, said.inside, said.outside) == (Mode.GATEWAY, ("eth0",), ())
    assert said.on_inspection_failure is InspectionFailure.PASS
    assert attached(OWN, "host", (), ()).inside == ("lan0",)


@pytest.mark.parametrize("name", ["", "a-name-of-16-chars", "a/b", "  "])
def test_what_is_no_interface_s_name_is_refused(name):
    with pytest.raises(click.BadParameter, match="not an interface"):
        attached(None, None, (name,), ())


def test_one_interface_on_both_sides_is_refused():
    with pytest.raises(click.BadParameter, match="both sides"):
        attached(None, None, ("eth0",), ("eth0",))
