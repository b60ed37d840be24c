"""One trial: a policy and packets, through the kernel and through replay, and where the two differ.

Some trials change the policy between two packets.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from tests.fidelity.bridged import credit, of_a_bridge, take_resets
from tests.fidelity.compare import Difference, compare, compare_counts, excuses
from tests.fidelity.enforced import WAYS, expressible, in_force, read_policy
from tests.fidelity.gateway import Gateway, ethernet
from tests.fidelity.policies import PolicyText, another_policy, policy
from tests.fidelity.reloading import replay_change
from tests.fidelity.replayed import replay_trial
from tests.fidelity.traffic import Sent, traffic
from tests.fidelity.witness import OutOfOrderError, story
from twinwall.policy.model import Mode
from twinwall.render.marks import GENERATIONS, next_generation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.fidelity.replayed import Replayed
    from twinwall.policy.model import Policy
    from twinwall.render.options import StatelessWay

BRIDGES = 5  # one policy in so many is a bridge's
KEEPS = 0.3  # of the changes leave connections alone that the first policy passed
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
class Change:
    """Another policy takes the first one's place, in front of the packet with the number `ident`; `keep`: as `--keep` does."""

    text: PolicyText | str
    way: StatelessWay
    ident: int
    keep: bool = False


class Half(NamedTuple):
    """One policy with the packets that meet it, and what replay says of them.  `first`: the place of the first in the trial."""

    policy: Policy
    way: StatelessWay
    sent: Sequence[Sent]
    replayed: Replayed
    first: int


class Compared(NamedTuple):
    """What differs, and how many packets were not compared, by why."""

    differences: list[Difference]
    excused: Counter[str]


@dataclass(frozen=True)
class Trial:
    """A policy, packets, how the stateless stage runs, and the policy's number in the kernel."""

    text: PolicyText | str
    sent: Sequence[Sent]
    way: StatelessWay
    mode: Mode = Mode.GATEWAY
    generation: int = 1
    change: Change | None = None

    def run(self) -> Outcome:
        """Run both, compare; again, if the kernel did not keep the order.  Raises `OutOfOrderError` if it never does."""
        halves = self.halves()
        again = 0
        while True:
            try:
                compared = self._against_kernel(halves)
                break
            except OutOfOrderError:
                again += 1
                if again == ATTEMPTS:
                    raise
        answers = [answer for half in halves for answer in half.replayed.answers]
        reasons, labels = Counter(each.reason for each in answers), Counter(each.label for each in answers)
        return Outcome(len(self.sent), compared.differences, reasons, labels, compared.excused, again)

    def halves(self) -> list[Half]:
        """What replay says, by policy."""
        first = read_policy(str(self.text))
        if self.change is None:
            return [Half(first, self.way, self.sent, replay_trial(first, self.sent), 0)]
        second, at = read_policy(str(self.change.text)), self.turn
        before, after = replay_change(first, second, self.sent, at, keep=self.change.keep)
        return [
            Half(first, self.way, self.sent[:at], before, 0),
            Half(second, self.change.way, self.sent[at:], after, at),
        ]

    @property
    def turn(self) -> int:
        """The first packet that meets the second policy."""
        return len(self.sent) if self.change is None else sum(each.ident < self.change.ident for each in self.sent)

    def gateway(self) -> Gateway:
        """Where the policies are enforced."""
        return Gateway(self.mode)

    def _against_kernel(self, halves: Sequence[Half]) -> Compared:
        found, excused = [], Counter[str]()
        with self.gateway() as gateway, in_force(gateway, halves[0].policy, self.way, self.generation) as enforced:
            for number, half in enumerate(halves):
                if number:
                    kept = (self.generation,) if self.change is not None and self.change.keep else ()
                    enforced.change(half.policy, half.way, next_generation(self.generation, frozenset(kept)), kept)
                compared = self.compared(gateway, half)
                excused += compared.excused
                counted = enforced.stateless_hits()
                more = compare_counts(half.policy, half.replayed.stateless_hits, counted) if counted is not None else []
                differences = [*compared.differences, *more]
                found += [each._replace(index=each.index + half.first if each.index >= 0 else -1) for each in differences]
        return Compared(found, excused)

    def compared(self, gateway: Gateway, half: Half) -> Compared:
        """Send the packets of one policy, and compare."""
        messages, frames = gateway.send([(each.link, ethernet(each.link, each.packet)) for each in half.sent])
        seen = story(messages, frames)
        found = list(credit(half.sent, half.replayed, seen, take_resets(seen))) if self.mode is Mode.BRIDGE else []
        excused = excuses(half.sent, half.replayed, half.way)
        found += compare(half.sent, half.replayed, seen, frozenset(excused))
        return Compared(found, Counter(excused.values()))


def random_trial(seed: int, packets: int) -> tuple[Trial, Counter[str]]:
    """A trial of one policy, and what the renderer refused of it."""
    rng = Random(seed)
    way = WAYS[seed % len(WAYS)]
    mode = Mode.BRIDGE if seed % BRIDGES == 0 else Mode.GATEWAY
    text, refused = expressible(policy(rng, mode), way)
    sent = traffic(rng, packets)
    return Trial(text, sent if mode is Mode.GATEWAY else of_a_bridge(sent), way, mode, 1 + seed % GENERATIONS), refused


def changing_trial(seed: int, packets: int) -> tuple[Trial, Counter[str]]:
    """A trial with a change of policy in its middle, from any form of the stateless stage to any other."""
    trial, refused = random_trial(seed, packets)
    rng = Random(-seed - 1)
    way = rng.choice(WAYS)
    assert isinstance(trial.text, PolicyText)
    text, more = expressible(another_policy(rng, trial.text, trial.mode), way)
    middle = trial.sent[len(trial.sent) // 2].ident
    return replace(trial, change=Change(text, way, middle, keep=rng.random() < KEEPS)), refused + more
