"""The places, the taps and the shield by themselves, in a world of the test's own."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.lab.worlds import lab_or_skip
from twinwall.lab.places import found
from twinwall.lab.world import find_ground

pytestmark = pytest.mark.kernel

BEGIN = """
import json
from twinwall.lab.crossing import crossings
from twinwall.lab.places import Site
from twinwall.lab.policies import STATEFUL, bundled
from twinwall.lab.shield import shield
from twinwall.lab.tap import Tap
from twinwall.lab.worker import FOLDER, settle_in

settle_in(privileged=True)
site = Site("lan0", "wan0")
PING = ["ping", "-q", "-c", "2", "-i", "0.05", "-W", "1"]
"""
TAPPED = (
    BEGIN
    + """
with Tap(site) as tap:
    answered = site.inside.attempt([*PING, "198.51.100.7"]).returncode == 0
    tap.settle()
    print(json.dumps([answered, len(crossings(tap.seen)), all(each.passed for each in crossings(tap.seen)), tap.lost()]))
"""
)
SHIELDED = (
    BEGIN
    + """
policy = bundled(STATEFUL)
said = []
def ask():
    said.append([site.place(place).attempt([*PING, to]).returncode == 0
                 for place, to in (("inside", "198.51.100.7"), ("outside", "10.20.0.10"))])
from twinwall.lab.policies import attached
from dataclasses import replace
policy = attached(replace(policy, attach=replace(policy.attach, inside=("lan0",), outside=("wan0",))))
ask()
with shield(policy, FOLDER):
    ask()
ask()
print(json.dumps(said))
"""
)

BARE = (
    BEGIN
    + """
from twinwall.lab.bare import bare
from twinwall.live.links import link
def state():
    return [len(link(name).xdp) for name in ("lan0", "wan0")] + [site.inside.attempt([*PING, "198.51.100.7"]).returncode]
said = [state()]
with bare(("lan0", "wan0")):
    said.append(state())
said.append(state())
print(json.dumps(said))
"""
)


def in_a_world(code):
    lab_or_skip()
    ground = find_ground()
    done = subprocess.run(
        [found("unshare"), *ground.flags, sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_taps_see_every_packet_on_both_links_once():
    assert in_a_world(TAPPED) == [True, 4, True, 0]


def test_the_shield_is_there_as_long_as_it_is_meant_to_be():
    assert in_a_world(SHIELDED) == [[True, True], [True, False], [True, True]]


def test_a_bare_router_has_a_program_that_passes_everything():
    if os.geteuid() != 0:
        pytest.skip("needs root, for XDP")
    assert in_a_world(BARE) == [[0, 0, 0], [1, 1, 0], [0, 0, 0]]
