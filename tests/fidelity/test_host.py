"""Host mode: random policies, what a host receives and what it sends, by replay and by the kernel."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

import pytest

from tests.conntrack.segments import End, Pair
from tests.fidelity.compare import Difference, compare, excuses
from tests.fidelity.enforced import WAYS, expressible, in_force, read_policy
from tests.fidelity.gateway import IN, OUT, ethernet
from tests.fidelity.headers import fix_checksums, number
from tests.fidelity.host import ATTACH, OWN, Host, ends, of_a_host
from tests.fidelity.policies import PolicyText, policy
from tests.fidelity.replayed import replay_trial
from tests.fidelity.traffic import CLIENTS4, SERVERS4, Sent, traffic
from tests.fidelity.witness import story
from tests.oracle.kernel import why_unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twinwall.policy.model import Policy
    from twinwall.render.options import StatelessWay

pytestmark = pytest.mark.kernel

SEEDS = range(1, 7)
PACKETS = 1000


def host_policy(rng: Random) -> PolicyText:
    """A random policy, on a host."""
    drawn = policy(rng)
    return replace(drawn, settings=ATTACH + drawn.settings.partition("\n")[2])


@pytest.fixture(autouse=True)
def _needs_the_kernel():
    if why_unavailable():
        pytest.skip(why_unavailable())


def differences(chosen: Policy, sent: Sequence[Sent], way: StatelessWay) -> list[Difference]:
    replayed = replay_trial(chosen, sent)
    with Host() as host, in_force(host, chosen, way):
        messages, frames = host.send([(each.link, ethernet(each.link, each.packet)) for each in sent])
    return compare(sent, replayed, story(messages, frames), frozenset(excuses(sent, replayed, way)))


@pytest.mark.parametrize("seed", SEEDS)
def test_replay_says_what_a_host_does(seed: int):
    way, rng = WAYS[seed % len(WAYS)], Random(seed)
    text, _ = expressible(host_policy(rng), way)
    sent = list(of_a_host(traffic(rng, PACKETS)))
    assert {each.link for each in sent} == {IN, OUT}
    assert differences(read_policy(str(text)), sent, way) == []


REJECTING = f"""twinwall: 1
{ATTACH}stateful:
  order: strict
  invalid: continue
  rules: |
    reject tcp any any -> any any (flags:0; sid:1;)
    pass tcp any any -> any any (sid:2;)
"""


@pytest.mark.parametrize("asked", [IN, OUT], ids=["by its program", "by the far end"])
def test_the_answer_to_an_invalid_packet_does_not_close_the_connection(asked):
    """It looks like the connection's own reset; on its way to a program it does not even leave by an attached interface."""
    pair = Pair(End(CLIENTS4[0], 40000), End(SERVERS4[2], 443))
    talk = [pair.tcp("S", 100), pair.swapped().tcp("SA", 500, 101), pair.tcp("A", 101, 501)]
    damage = pair if asked == IN else pair.swapped()
    talk += [damage.tcp("", 101), pair.tcp("PA", 101, 501, 10), pair.swapped().tcp("A", 501, 111)]
    sent = [Sent(link_of_host(each), number(fix_checksums(each), at), at) for at, each in enumerate(talk, 1)]
    policy = read_policy(REJECTING)
    answers = replay_trial(policy, sent).answers
    assert [answer.verdict for answer in answers] == ["pass", "pass", "pass", "reject", "pass", "pass"]
    assert differences(policy, sent, WAYS[0]) == []


def link_of_host(packet: bytes) -> str:
    return OUT if ends(packet)[1] in OWN else IN
