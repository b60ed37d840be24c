"""Replay = kernel: seeded policies and traffic.  The long run is `make fidelity`, the theory docs/fidelity.md."""

from __future__ import annotations

import pytest

from tests.fidelity.trial import Trial, changing_trial, random_trial
from tests.oracle.kernel import why_unavailable

pytestmark = pytest.mark.kernel

SEEDS = range(1000, 1016)
CHANGING = range(2000, 2008)
PACKETS = 400


@pytest.fixture(autouse=True, scope="module")
def kernel() -> None:
    reason = why_unavailable()
    if reason:
        pytest.skip(reason)


@pytest.mark.parametrize("seed", SEEDS)
def test_random_policy_and_traffic(seed: int):
    hold(random_trial(seed, PACKETS)[0])


@pytest.mark.parametrize("seed", CHANGING)
def test_another_policy_in_the_middle(seed: int):
    trial, _ = changing_trial(seed, PACKETS)
    assert 0 < trial.turn < len(trial.sent)
    hold(trial)


def hold(trial: Trial) -> None:
    """Run the trial; nothing may differ."""
    outcome = trial.run()
    assert outcome.packets > 0.9 * PACKETS
    story = "\n".join(f"{each}\n    {trial.sent[each.index].packet.hex()}" for each in outcome.differences)
    assert not outcome.differences, f"stateless stage {trial.way.name}\n{story}\n{trial.text}\n{trial.change}"
