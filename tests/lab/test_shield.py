"""The shield: a policy in force between inside and outside, as long as it is meant to be."""

from __future__ import annotations

import pytest

from tests.lab.worlds import in_a_world

pytestmark = pytest.mark.kernel

# One world for all tests.  The bundled policy lets pings out and not in; the open one lets everything through.
CODE = """
from dataclasses import replace
from twinwall.lab.policies import STATEFUL, attached, bundled
from twinwall.lab.shield import Shield, shield
from twinwall.policy.diagnostic import PolicyError
from twinwall.rules.policy_file import read_policy_text

def here(policy):
    policy = attached(policy)
    return replace(policy, attach=replace(policy.attach, inside=("lan0",), outside=("wan0",)))

def passing():
    return [pings("inside", "198.51.100.7", 1), pings("outside", "10.20.0.10", 1)]

def written(text):
    return here(read_policy_text("twinwall: 1\\n" + text, "written", open)[0])

RULES = "{rules: 'pass ip any any -> any any (sid:7;)'}\\n"
stateful = here(bundled(STATEFUL))
everything = written("stateless: " + RULES + "stateful: " + RULES)
impossible = written("tracking: {flows: rules}\\nstateful: " + RULES)
said = {"block": [passing()]}
try:
    with shield(stateful, FOLDER):
        said["block"].append(passing())
        1 / 0
except ZeroDivisionError:
    said["block"].append(passing())

armour = Shield(FOLDER)
said["way"] = [[armour.way, armour.notes]]
armour.change(stateful)
said["way"].append([armour.way, armour.notes])
try:
    armour.change(impossible)
except PolicyError as error:
    said["refused"] = [str(error), passing()]
armour.change(everything)
said["changed"] = passing()
said["way"].append([armour.way, armour.notes])
armour.remove()
said["way"].append([armour.way, armour.notes])
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def said():
    return in_a_world(CODE)


def test_it_is_there_as_long_as_it_is_meant_to_be(said):
    assert said["block"] == [[True, True], [True, False], [True, True]]  # gone although the block failed


def test_a_policy_that_is_refused_leaves_the_one_before_in_force(said):
    why, passing = said["refused"]
    assert "flows" in why
    assert passing == [True, False]


def test_a_change_puts_the_new_policy_in_the_place_of_the_old(said):
    assert said["changed"] == [True, True]


def test_it_says_where_the_stateless_stage_runs_and_what_could_not_be_done(said):
    nothing, stateful, everything, removed = said["way"]
    assert nothing == removed == ["", []]
    assert stateful[0] == ""  # it has no stateless rules
    way, notes = everything
    assert way in ("xdp", "nft")
    assert any("XDP" in note for note in notes) == (way == "nft")
