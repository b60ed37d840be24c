"""One trial: a policy and packets, through the kernel and through replay, and where the two differ."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from tests.fidelity.bridged import credit, of_a_bridge, take_resets
from tests.fidelity.compare import Difference, compare, compare_counts, excuses
from tests.fidelity.enforced import WAYS, expressible, in_force, read_policy
from tests.fidelity.gateway import Gateway, ethernet
from tests.fidelity.policies import PolicyText, policy
from tests.fidelity.replayed import replay_trial
from tests.fidelity.traffic import Sent, traffic
from tests.fidelity.witness import OutOfOrderError, story
from twinwall.policy.model import Mode
from twinwall.render.marks import GENERATIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.fidelity.replayed import Replayed
    from twinwall.policy.model import Policy
    from twinwall.render.options import StatelessWay

BRIDGES = 5  # one policy in so many is a bridge's
ATTEMPTS = 3  # where the kernel did not keep the order of packets, the trial is made again


@dataclass
class Outcome:
    """What a trial gave."""

    packets: int
    differences: list[Difference]
    reasons: Counter[str]  # of replay's answers: what was covered
    labels: Counter[str]
    excused: Counter[str]  # packets that were not compared, by why
    again: int = 0  # attempts that said nothing
    refused: Counter[str] = field(default_factory=Counter)  # rules that the kernel cannot express


@dataclass(frozen=True)
class Trial:
    """A policy, packets, how the stateless stage runs, and the policy's number in the kernel."""

    text: PolicyText | str
    sent: Sequence[Sent]
    way: StatelessWay
    mode: Mode = Mode.GATEWAY
    generation: int = 1

    def run(self) -> Outcome:
        """Run both, compare; again, if the kernel did not keep the order.  Raises `OutOfOrderError` if it never does."""
        chosen = read_policy(str(self.text))
        replayed = replay_trial(chosen, self.sent)
        excused = excuses(self.sent, replayed, self.way)
        again = 0
        while True:
            try:
                differences = self._against_kernel(chosen, replayed, frozenset(excused))
                break
            except OutOfOrderError:
                again += 1
                if again == ATTEMPTS:
                    raise
        reasons = Counter(answer.reason for answer in replayed.answers)
        labels = Counter(answer.label for answer in replayed.answers)
        return Outcome(len(self.sent), differences, reasons, labels, Counter(excused.values()), again)

    def _against_kernel(self, chosen: Policy, replayed: Replayed, excused: frozenset[int]) -> list[Difference]:
        with Gateway(chosen.attach.mode) as gateway, in_force(gateway, chosen, self.way, self.generation) as enforced:
            messages, frames = gateway.send([(each.link, ethernet(each.link, each.packet)) for each in self.sent])
            counted = enforced.stateless_hits()
        seen = story(messages, frames)
        found = []
        if chosen.attach.mode is Mode.BRIDGE:
            found += credit(self.sent, replayed, seen, take_resets(seen))
        found += compare(self.sent, replayed, seen, excused)
        if counted is not None:
            found += compare_counts(chosen, replayed.stateless_hits, counted)
        return found


def random_trial(seed: int, packets: int) -> tuple[Trial, Counter[str]]:
    """The trial of a seed, and what the renderer refused of its policy."""
    rng = Random(seed)
    way = WAYS[seed % len(WAYS)]
    mode = Mode.BRIDGE if seed % BRIDGES == 0 else Mode.GATEWAY
    text, refused = expressible(policy(rng, mode), way)
    sent = traffic(rng, packets)
    return Trial(text, sent if mode is Mode.GATEWAY else of_a_bridge(sent), way, mode, 1 + seed % GENERATIONS), refused
