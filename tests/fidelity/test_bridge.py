"""Bridge mode: random policies between two ports, by replay and by the kernel."""

from __future__ import annotations

from random import Random

import pytest

from tests.fidelity.bridged import credit, of_a_bridge, take_resets
from tests.fidelity.compare import compare, excuses
from tests.fidelity.enforced import WAYS, expressible, in_force, read_policy
from tests.fidelity.gateway import Gateway, ethernet
from tests.fidelity.policies import policy
from tests.fidelity.replayed import replay_trial
from tests.fidelity.traffic import traffic
from tests.fidelity.witness import story
from tests.oracle.kernel import why_unavailable
from twinwall.policy.model import Mode

pytestmark = pytest.mark.kernel

SEEDS = (11, 18)  # policies that reject a lot
PACKETS = 500


@pytest.mark.parametrize("seed", SEEDS)
def test_replay_says_what_a_bridge_does(seed: int):
    reason = why_unavailable()
    if reason:
        pytest.skip(reason)
    rng, way = Random(seed), WAYS[seed % len(WAYS)]
    text, _ = expressible(policy(rng, Mode.BRIDGE), way)
    chosen, sent = read_policy(str(text)), of_a_bridge(traffic(rng, PACKETS))
    replayed = replay_trial(chosen, sent)
    with Gateway(Mode.BRIDGE) as gateway, in_force(gateway, chosen, way):
        messages, frames = gateway.send([(each.link, ethernet(each.link, each.packet)) for each in sent])
    seen = story(messages, frames)
    unexpected = list(credit(sent, replayed, seen, take_resets(seen)))
    found = compare(sent, replayed, seen, frozenset(excuses(sent, replayed, way)))
    assert [*unexpected, *found] == [], str(text)
