"""The order of things at the stateful hook, and what happens to packets the tracker cannot place."""

from __future__ import annotations

import pytest

from tests.render.rendering import chains_of, policy_of, text_of
from twinwall.policy.model import Exceptional, StatefulStage
from twinwall.render.chains import Chains
from twinwall.render.judge import render_judge
from twinwall.render.options import RenderOptions
from twinwall.render.verdicts import Ends


def judged(stage: StatefulStage, options: RenderOptions | None = None) -> list[str]:
    chains = Chains()
    render_judge(chains, Ends(chains, None), stage, options or RenderOptions(), ["a lookup"], flows=False)
    return chains_of(chains.text())["judge"]


def test_an_established_packet_is_asked_about_first():
    known, *lines = judged(StatefulStage())
    assert known == "a lookup"
    assert lines[0].startswith("ct state established ct mark & 0xe1f00000 vmap {")
    assert lines[1] == "ct state untracked meta mark & 0x08000000 != 0x0 accept"
    assert lines[-1] == "goto place"


@pytest.mark.parametrize(
    ("setting", "target"),
    [(Exceptional.DROP, "drop_invalid"), (Exceptional.REJECT, "reject_invalid"), (Exceptional.CONTINUE, "place")],
)
def test_invalid_packets(setting: Exceptional, target: str):
    assert f"ct state vmap {{ invalid : goto {target}, untracked : goto place }}" in judged(StatefulStage(invalid=setting))


@pytest.mark.parametrize(("setting", "asked"), [(Exceptional.DROP, 1), (Exceptional.REJECT, 1), (Exceptional.CONTINUE, 0)])
def test_a_connection_whose_start_was_not_seen(setting: Exceptional, asked: int):
    lines = judged(StatefulStage(midstream=setting))
    assert sum("tcp flags & syn == 0x0 goto" in line for line in lines) == asked


def test_every_other_generation_is_forgotten():
    (line,) = [line for line in judged(StatefulStage(), RenderOptions(4)) if line.startswith("ct mark & 0xe0000000 vmap")]
    assert line.count("jump stale") == 6
    assert "0x80000000" not in line


def test_what_a_connection_knows_of_its_handshake_outlives_the_policy():
    stale = chains_of(text_of(policy_of("pass tcp any any -> any 80 ()")))["stale"]
    assert "ct mark set ct mark & 0x06000000 | 0x20000000" in stale
    assert "ct original protocol 6 ct status assured ct mark set ct mark | 0x02000000" in stale
