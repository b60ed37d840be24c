"""The pieces of a change: what is staged is the ruleset under other names, and the switch touches base chains alone."""

from __future__ import annotations

import re
from random import Random

import pytest

from tests.fidelity.enforced import expressible
from tests.fidelity.enforced import read_policy as read_fidelity
from tests.fidelity.policies import policy as random_policy
from tests.oracle.kernel import Namespace, why_unavailable
from tests.render.rendering import ATTACH, chains_of, maps_of, policy_of
from tests.render.test_ruleset import POLICIES, options
from twinwall.policy.model import Policy
from twinwall.render.options import RenderOptions, StatelessWay
from twinwall.render.ruleset import render_ruleset
from twinwall.render.stateless import drops_script, stateless_table
from twinwall.render.switch import IN_FORCE, generation_of, hook_text, plain_name, under_generation

SUFFIX = re.compile(r"(?<=[a-z_0-9])\.3\b(?! ?[.\-/0-9])")
NAT = "nat:\n  masquerade: [wan0]\n  forward:\n    - {interface: wan0, protocol: tcp, ports: 8080, to: 10.1.0.5:80}\n"
ALL = {
    **POLICIES,
    "nat": policy_of("pass tcp any any -> any 80 ()", more=NAT),
    "bridge": policy_of("pass tcp any any -> any 80 ()", attach=ATTACH.replace("gateway", "bridge")),
}
OPTIONS = {name: RenderOptions(3, queue=options(name).queue, digest="0123abcd") for name in ALL}


@pytest.mark.parametrize("name", ALL)
def test_what_is_staged_and_switched_to_is_the_ruleset(name: str):
    """Take the generation out of the names, and put the rules of each `forward.3` back into the base chain that leads there."""
    ruleset = render_ruleset(ALL[name], OPTIONS[name])
    plain = chains_of(ruleset.text)
    heads = {hook.chain: [hook.head] for hook in ruleset.hooks}
    staged = {plain_name(each): lines for each, lines in chains_of(ruleset.stage.replace(".3 {", " {")).items()}
    whole = {each: heads.get(each, []) + [SUFFIX.sub("", line) for line in lines] for each, lines in staged.items()}
    assert whole == {each: lines for each, lines in plain.items() if each != IN_FORCE}
    assert list(maps_of(ruleset.stage.replace(".3 {", " {")).values()) == list(maps_of(ruleset.text).values())


@pytest.mark.parametrize("name", ALL)
def test_nothing_staged_is_hooked_and_the_switch_has_no_elements(name: str):
    ruleset = render_ruleset(ALL[name], OPTIONS[name])
    assert " hook " not in ruleset.stage
    rules = [line for line in ruleset.switch({"lan0": 7}).splitlines() if line.startswith("add rule")]
    shortcuts = [rules.pop(rules.index(line)) for line in rules[:] if " meta mark 0x" in line]
    assert all(" lan0" not in line and "{" not in line for line in shortcuts)
    assert len(rules) == len(ruleset.hooks) + 1
    assert all(re.fullmatch(r"add rule \w+ twinwall (\w+) goto \1\.3", line) for line in rules[:-1])
    assert rules[-1] == f'add rule inet twinwall {IN_FORCE} return comment "twinwall 0123abcd generation 3"'


def test_names_in_quotes_and_bytes_of_packets_are_no_names():
    line = '\t\t@ih,0,8 0-255 log prefix "goto nowhere" jump there comment "chain @a"\n'
    assert under_generation(line, 5) == line.replace("jump there", "jump there.5")
    assert under_generation("\tset a {\n\t\tip saddr @a\n", 5) == "\tset a.5 {\n\t\tip saddr @a.5\n"


def test_a_name_and_its_generation():
    assert (plain_name("judge.3"), generation_of("judge.3")) == ("judge", 3)
    assert (plain_name("forward"), generation_of("forward")) == ("forward", None)


@pytest.fixture(scope="module")
def namespace():
    if why_unavailable():
        pytest.skip(why_unavailable())
    space = Namespace()
    space.run("ip", "link", "add", "lan0", "type", "veth", "peer", "name", "wan0")
    space.run("ip", "link", "add", "in0", "type", "veth", "peer", "name", "out0")
    yield space
    space.close()


def take(space: Namespace, policy: Policy, generation: int) -> None:
    """Both forms of the stateless stage at once: the kernel looks at each."""
    assert policy.attach is not None
    ruleset = render_ruleset(policy, RenderOptions(generation, StatelessWay.NFT))
    stamps = stateless_table(policy, policy.attach, generation, direct=False)
    for script in (
        ruleset.stage,
        stamps.staged(generation),
        hook_text(stamps.hooks(), generation),
        ruleset.switch({}),
        drops_script(generation, direct=True),
        drops_script(generation, direct=False),
    ):
        space.run("nft", "-f", "-", text=script)
    space.run("nft", "flush", "ruleset")


@pytest.mark.kernel
@pytest.mark.parametrize("name", [name for name in ALL if name != "inspected"])
def test_the_kernel_takes_the_pieces(namespace: Namespace, name: str):
    take(namespace, ALL[name], 1)


@pytest.mark.kernel
@pytest.mark.parametrize("seed", range(6))
def test_the_kernel_takes_the_pieces_of_random_policies(namespace: Namespace, seed: int):
    text, _ = expressible(random_policy(Random(seed)), StatelessWay.NFT)
    take(namespace, read_fidelity(str(text)), 2)
