"""Replay = kernel: seeded policies and traffic.  The long run is `make fidelity`, the theory docs/fidelity.md."""

from __future__ import annotations

import pytest

from tests.fidelity.trial import random_trial
from tests.oracle.kernel import why_unavailable

pytestmark = pytest.mark.kernel

SEEDS = range(1000, 1016)
PACKETS = 400


@pytest.fixture(autouse=True, scope="module")
def kernel() -> None:
    reason = why_unavailable()
    if reason:
        pytest.skip(reason)


@pytest.mark.parametrize("seed", SEEDS)
def test_random_policy_and_traffic(seed: int):
    trial, _ = random_trial(seed, PACKETS)
    outcome = trial.run()
    assert outcome.packets > 0.9 * PACKETS
    story = "\n".join(f"{each}\n    {trial.sent[each.index].packet.hex()}" for each in outcome.differences)
    assert not outcome.differences, f"stateless stage {trial.way.name}\n{story}\n{trial.text}"
