"""What our tables are made of, and the scripts that unhook and sweep: they name nothing but what is to go."""

from __future__ import annotations

import socket

import pytest

from tests.live.namespace import in_namespace
from twinwall.live import nft
from twinwall.live.conntrack import ConnectionTable
from twinwall.live.error import EnforcementError
from twinwall.live.nft import Table
from twinwall.live.nft_objects import IN_FORCE, Object, marker_text, objects, staged_generation, sweep, unhook
from twinwall.render.switch import Hook

pytestmark = pytest.mark.kernel
OURS = Table("inet", "twinwall")
HEAD = "type filter hook input priority 0; policy accept;"
STAGED = """table inet twinwall {{
	counter drop_x.{0} {{
	}}
	set some.{0} {{
		type mark
	}}
	map words.{0} {{
		type ipv4_addr . inet_service : verdict
		flags interval
		elements = {{ 10.0.0.0/8 . 80-90 : goto end.{0} }}
	}}
	chain end.{0} {{
		counter name drop_x.{0} drop
	}}
	chain input.{0} {{
		ct state established meta mark @some.{0} accept
		ip saddr . udp dport vmap @words.{0}
		meta l4proto vmap {{ 1 : goto end.{0} }}
	}}
}}
"""
SWITCH = f"""add chain inet twinwall input {{{{ {HEAD} }}}}
flush chain inet twinwall input
add rule inet twinwall input goto input.{{0}}
add chain inet twinwall {IN_FORCE}
flush chain inet twinwall {IN_FORCE}
add rule inet twinwall {IN_FORCE} return comment "the policy of {{0}}"
"""
NAMES = {"drop_x", "some", "words", "end", "input"}

namespace = pytest.fixture(in_namespace)


def named(generation: int) -> set[str]:
    return {f"{name}.{generation}" for name in NAMES}


def names() -> set[str]:
    return {each.name for each in objects(OURS)}


def test_no_table_has_no_objects(namespace):
    assert objects(OURS) == []
    assert marker_text(OURS) is None
    assert unhook() == sweep(lambda _: True) == ""


def test_objects_by_their_kinds(namespace):
    nft.load(STAGED.format(3) + "table inet theirs { chain theirs { }\n}\n")
    assert {(each.kind, each.name) for each in objects(OURS)} == {
        ("chain", "end.3"), ("chain", "input.3"), ("set", "some.3"), ("map", "words.3"), ("counter", "drop_x.3"),
    }  # fmt: skip
    nft.load(SWITCH.format(3))
    assert [each for each in objects(OURS) if each.hooked] == [Object(OURS, "chain", "input", hooked=True)]


def test_the_switch_moves_the_marker_and_the_sweep_takes_the_rest(namespace):
    nft.load(STAGED.format(3))
    nft.load(SWITCH.format(3))
    assert marker_text(OURS) == "the policy of 3"
    nft.load(STAGED.format(4))
    assert marker_text(OURS) == "the policy of 3"
    nft.load(SWITCH.format(4))
    assert marker_text(OURS) == "the policy of 4"
    nft.load(sweep(lambda generation: generation != 4))
    assert names() == named(4) | {"input", IN_FORCE}
    assert sweep(lambda generation: generation != 4) == ""


def test_what_is_in_use_is_not_swept(namespace):
    nft.load(STAGED.format(3))
    nft.load(SWITCH.format(3))
    with pytest.raises(EnforcementError, match="busy"):
        nft.load(sweep(lambda generation: generation == 3))
    assert named(3) <= names()


def test_base_chains_go_but_those_that_stay(namespace):
    nft.load(STAGED.format(3))
    nft.load(SWITCH.format(3) + f"add chain inet twinwall other {{ {HEAD.replace('input', 'output')} }}\n")
    nft.load(unhook([Hook("inet twinwall", "input", HEAD)]))
    assert [each.name for each in objects(OURS) if each.hooked] == ["input"]
    assert marker_text(OURS) == "the policy of 3"
    nft.load(unhook())
    assert names() == named(3)
    assert marker_text(OURS) is None


def test_the_generation_of_a_netdev_table(namespace):
    table = Table("netdev", "twinwall_1")
    assert staged_generation(table) is None
    nft.load("table netdev twinwall_1 { chain judge.5 { }\n}\n")
    assert staged_generation(table) == 5


def test_the_tracker_works_from_the_stage_on(namespace):
    """So that the switch does not find it asleep: a rule that asks for a connection switches it on, hooked or not."""
    namespace.run("ip", "link", "set", "lo", "up")
    nft.load(STAGED.format(3))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as there, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here:
        there.bind(("127.0.0.1", 0))
        here.sendto(b"x", there.getsockname())
    with ConnectionTable() as table:
        assert table.fill().entries == 1
