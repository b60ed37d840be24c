"""Whole rulesets: golden texts, what nft says of them, what they refuse, and that the same policy gives the same bytes.

The golden texts stand in `golden/`; `TWINWALL_GOLDEN=write pytest tests/render/test_ruleset.py` writes them anew.
"""

from __future__ import annotations

import os
from pathlib import Path
from random import Random

import pytest

from tests.fidelity.enforced import expressible
from tests.fidelity.enforced import read_policy as read_fidelity
from tests.fidelity.policies import policy as random_policy
from tests.oracle.kernel import Namespace, why_unavailable
from tests.render.rendering import ATTACH, chains_of, maps_of, policy_of, text_of
from twinwall.policy.diagnostic import PolicyError
from twinwall.render.options import QueueWay, RenderOptions, StatelessWay

GOLDEN = Path(__file__).parent / "golden"
HOST = ATTACH.replace("gateway", "host")
POLICIES = {
    "nothing": policy_of(),
    "web": policy_of(
        "pass tcp 10.0.0.0/8 any -> any [80,443] (flow:to_server;)",
        "pass udp 10.0.0.0/8 any -> 192.0.2.53 53 ()",
        default="drop_established, alert_established",
    ),
    "server": policy_of(
        "drop ip 203.0.113.0/24 any -> any any ()",
        "pass tcp any any -> any 22 (flow:to_server;)",
        "reject tcp any any -> any any (flow:to_server,not_established;)",
        attach=HOST,
        order="action",
    ),
    "details": policy_of(
        "alert tcp any any -> any any (flags:S,12; flow:to_server; flowbits:set,opened;)",
        "drop icmp any any -> any any (itype:8; dsize:>100;)",
        "pass tcp any any <> any 443 (flow:established; flowbits:isset,opened;)",
        "drop ip any any -> any any (ttl:1;)",
    ),
    "inspected": policy_of("pass tcp any any -> any 80 (inspect; flow:to_server;)"),
}
NATIVE = RenderOptions(queue=QueueWay.NATIVE)
SEEDS = range(12)


def options(name: str) -> RenderOptions:
    return NATIVE if name == "inspected" else RenderOptions(digest="0123abcd")


@pytest.mark.parametrize("name", POLICIES)
def test_golden(name: str):
    path = GOLDEN / f"{name}.nft"
    text = text_of(POLICIES[name], options(name))
    if os.environ.get("TWINWALL_GOLDEN") == "write":
        path.write_text(text)
    assert text == path.read_text()


def test_every_golden_text_is_used():
    assert {path.stem for path in GOLDEN.iterdir()} == set(POLICIES)


@pytest.fixture(scope="module")
def namespace():
    reason = why_unavailable()
    if reason:
        pytest.skip(reason)
    space = Namespace()
    space.run("ip", "link", "add", "lan0", "type", "veth", "peer", "name", "wan0")
    space.run("ip", "link", "add", "in0", "type", "veth", "peer", "name", "out0")
    yield space
    space.close()


@pytest.mark.kernel
@pytest.mark.parametrize("name", [name for name in POLICIES if name != "inspected"])
@pytest.mark.parametrize("way", StatelessWay)
def test_the_kernel_takes_it_and_takes_it_again(namespace: Namespace, name: str, way: StatelessWay):
    for generation in (1, 2):
        text = text_of(POLICIES[name], RenderOptions(generation=generation, stateless=way, kept=frozenset({5}), witness=9))
        namespace.run("nft", "-f", "-", text=text)
    tables = namespace.run("nft", "list", "tables").split("\n")
    netdev = [line for line in tables if line.startswith("table netdev")]
    assert "table inet twinwall" in tables
    assert netdev == (["table netdev twinwall_0"] if way is StatelessWay.NFT else [])


@pytest.mark.kernel
@pytest.mark.parametrize("seed", SEEDS)
def test_nft_takes_random_policies(namespace: Namespace, seed: int):
    text, _ = expressible(random_policy(Random(seed)), StatelessWay.XDP)
    namespace.run("nft", "-c", "-f", "-", text=text_of(read_fidelity(str(text))))


def test_the_same_policy_gives_the_same_bytes():
    assert text_of(POLICIES["details"]) == text_of(POLICIES["details"])


def test_every_refusal_comes_at_once_with_its_place():
    policy = policy_of(
        "pass ip any any -> any any (sameip;)",
        "pass tcp any any -> any any (flowbits:toggle,a;)",
        "pass tcp any any -> any 80 (inspect;)",
    )
    with pytest.raises(PolicyError) as refused:
        text_of(policy)
    assert [each.span.line for each in refused.value.diagnostics] == [6, 7, 8]
    assert all(each.hint for each in refused.value.diagnostics)


def test_a_policy_that_is_attached_nowhere_is_refused():
    with pytest.raises(PolicyError, match="where to enforce"):
        text_of(policy_of(attach=""))


def test_every_element_says_the_sid_it_came_from():
    elements = [each for elements in maps_of(text_of(POLICIES["web"])).values() for each in elements]
    assert {each.split('comment "')[1].split('"')[0] for each in elements} == {"sid 1", "sid 2"}


def test_only_our_tables_are_named():
    text = text_of(POLICIES["web"], RenderOptions(stateless=StatelessWay.NFT))
    named = {line.split("{")[0].strip() for line in text.splitlines() if line.lstrip().startswith(("table ", "delete table "))}
    assert {name.removeprefix("delete ") for name in named} <= {
        "table inet twinwall", "table netdev twinwall_0", "table netdev twinwall_1",
    }  # fmt: skip


def test_a_large_variable_is_one_set_and_one_line():
    hosts = ", ".join(f"10.{number >> 8}.{number & 255}.1" for number in range(500))
    policy = policy_of("drop ip $MANY any -> any any ()", more=f"variables: {{MANY: [{hosts}]}}\n")
    text = text_of(policy)
    lines = [line for lines in chains_of(text).values() for line in lines if "@net4_1" in line and "hit_before" not in line]
    assert text.count("set net4_1 {") == 1
    assert lines
    assert all(line.startswith("ip saddr @net4_1 counter meta mark set") for line in set(lines))


def test_kept_generations_live_and_others_are_judged_anew():
    judge = chains_of(text_of(POLICIES["web"], RenderOptions(generation=2, kept=frozenset({1}))))
    line = next(line for line in judge["judge"] if line.startswith("ct mark & 0xe0000000 vmap"))
    assert "0x20000000 : jump kept" in line
    assert "0x60000000 : jump stale" in line
    assert "0x40000000" not in line


def test_a_host_asks_at_input_and_output():
    chains = chains_of(text_of(POLICIES["server"]))
    assert "type filter hook input priority 0; policy accept;" in chains["input"]
    assert "type filter hook output priority 0; policy accept;" in chains["output"]
    assert "forward" not in chains


def test_the_comment_says_which_policy_it_is():
    assert 'comment "twinwall 0123abcd generation 3"' in text_of(POLICIES["web"], RenderOptions(3, digest="0123abcd"))
