"""A change of the policy under an ssh session."""

from __future__ import annotations

import os

import pytest

from tests.lab.worlds import lab_or_skip
from twinwall.lab.messages import Reload, Reloaded
from twinwall.lab.places import program
from twinwall.lab.policies import STATEFUL, STATELESS, bundled
from twinwall.lab.reload import without
from twinwall.lab.world import Worlds, find_ground


@pytest.mark.kernel
def test_a_session_lives_as_long_as_the_policy_allows_it():
    if program("sshd") is None or os.geteuid() != 0:
        pytest.skip("needs root and sshd")
    lab_or_skip()
    ground = find_ground()
    with Worlds(ground) as worlds:
        done = worlds.run(Reload("stateful", ground.privileged, bundled(STATEFUL)), Reloaded, lambda _: None)
    assert [change.alive for change in done.changes] == [True, True, False, True]
    assert done.received == done.pings


def test_rules_are_taken_out_by_what_they_say_they_are_about():
    assert len(without(bundled(STATELESS), "ssh").stateless.rules) == len(bundled(STATELESS).stateless.rules) - 2
    assert len(without(bundled(STATEFUL), "ssh").stateful.rules) == len(bundled(STATEFUL).stateful.rules) - 1
