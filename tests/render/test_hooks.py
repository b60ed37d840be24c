"""Where packets come from, and the way to the inspector and back."""

from __future__ import annotations

import pytest

from tests.oracle.kernel import why_unavailable
from tests.render.conversing import ANSWER, HANDSHAKE, OPTIONS, QUESTION, UDP, Gateway, Talk, counted, load, marks
from twinwall.policy.model import Attach, InspectionFailure, Mode
from twinwall.render.chains import Chains
from twinwall.render.hooks import render_early, render_hooks, render_inspection, shortcuts
from twinwall.render.marks import ACTION_MASK, ACTION_SHIFT, CT_DROP, CT_PASS, SCOPE_FLOW, STATELESS_PASS, RuleAction
from twinwall.render.options import QueueWay, RenderOptions
from twinwall.render.verdicts import Ends

GATEWAY = Attach(inside=("lan0",), outside=("wan0",))
INSPECTOR = """
table inet inspector {{
  chain decide {{
    type filter hook forward priority 1; policy accept;
    meta mark & {mask:#x} == {inspect:#x} meta mark set {word:#x}
  }}
}}
"""
TARGET = RenderOptions(stateless=OPTIONS.stateless, queue=QueueWay.TARGET)
RULE = "pass tcp any any -> any 443 (inspect; flow:to_server;)"
BACK = "pass tcp any 443 -> any any (flow:to_client;)"


def rendered(render) -> dict[str, str]:
    chains = Chains()
    render(chains, Ends(chains, None))
    return dict(part.split(" {\n", 1) for part in chains.text().split("\tchain ")[1:])


def test_the_stamp_of_the_own_slot_is_read():
    chains = rendered(lambda chains, ends: render_early(chains, ends, GATEWAY, 1))
    assert "meta mark & 0xc0000000 vmap { 0xc0000000 : goto stamp_forward" in chains["stamp"]
    chains = rendered(lambda chains, ends: render_early(chains, ends, GATEWAY, 2))
    assert "meta mark & 0x30000000 vmap { 0x30000000 : goto stamp_forward" in chains["stamp"]
    assert chains["stamp"].count("drop_no_stamp drop") == 1
    assert f"meta mark set {STATELESS_PASS:#010x} notrack accept" in chains["stamp_pass"]


def test_a_gateway_leaves_the_stamp_on_what_goes_on_and_others_take_it_off():
    first, *rest = rendered(lambda chains, ends: render_early(chains, ends, GATEWAY, 1))["early"].splitlines()[1:]
    assert first.strip() == "meta mark 0xc0000000 accept"
    assert rest[0].strip() == "meta mark & 0xc0000000 != 0xc0000000 goto unforwarded"
    host = rendered(lambda chains, ends: render_early(chains, ends, Attach(Mode.HOST, ("lan0",)), 1))
    assert 'iifname "lan0" goto stamp_forward' in host["early"]
    assert "accept" not in host["early"].partition("policy accept")[2]


def test_shortcuts_are_a_gateways_and_only_for_few_interfaces_that_there_are():
    found = shortcuts(GATEWAY, ["ct mark 5 vmap @known_flows"], 2)
    assert found["early"].rules(2, {}) == ["meta mark 0x30000000 accept"]
    assert found["forward"].rules(2, {"wan0": 9, "eth0": 3}) == ["iif 9 meta mark 0x30000000 ct mark 5 vmap @known_flows.2"]
    assert list(shortcuts(GATEWAY, [], 2)) == ["early"]
    assert shortcuts(Attach(Mode.HOST, ("lan0",)), ["ct mark 5 vmap @known_flows"], 2) == {}
    many = Attach(inside=tuple(f"lan{number}" for number in range(7)))
    assert list(shortcuts(many, ["ct mark 5 vmap @known_flows"], 2)) == ["early"]


def test_what_comes_from_elsewhere_does_not_leave_through_an_attached_interface():
    chains = rendered(lambda chains, ends: render_hooks(chains, ends, GATEWAY, 1))
    assert 'oifname { "lan0", "wan0" } counter name drop_unattached drop' in chains["forward"]


def test_the_native_queue_says_what_happens_without_an_inspector():
    for failure, flags in ((InspectionFailure.DROP, "fanout"), (InspectionFailure.PASS, "fanout,bypass")):
        attach = Attach(Mode.HOST, ("lan0",), on_inspection_failure=failure, queues=(10, 13))
        chains = rendered(
            lambda chains, ends, attach=attach: render_inspection(chains, ends, attach, RenderOptions(queue=QueueWay.NATIVE))
        )
        assert f"queue flags {flags} to 10-13" in chains["queue_input"]
        assert f"queue flags {flags} to 10-13" in chains["queue_output"]


@pytest.fixture
def talk():
    reason = why_unavailable()
    if reason:
        pytest.skip(reason)
    with Gateway() as gateway:
        yield Talk(gateway)


def inspector(decision: RuleAction) -> str:
    """A table that decides what waits for the inspector, as he does."""
    word = 1 | decision << ACTION_SHIFT | SCOPE_FLOW
    return INSPECTOR.format(mask=ACTION_MASK, inspect=RuleAction.INSPECT << ACTION_SHIFT, word=word)


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("decision", "bit", "passed"),
    [(RuleAction.PASS, CT_PASS, True), (RuleAction.DROP, CT_DROP, False), (RuleAction.REJECT, CT_DROP, False)],
)
def test_the_inspectors_decision_holds_for_the_flow(talk: Talk, decision: RuleAction, bit: int, passed: bool):
    load(talk.gateway, "pass tcp any any -> any 443 (flags:S;)", BACK, RULE, options=TARGET)
    assert talk.send(*HANDSHAKE[:2]) == [True, True]
    with talk.gateway.router.entered():
        talk.gateway.router.run("nft", "-f", "-", text=inspector(decision))
    assert talk.send(HANDSHAKE[2]) == [passed]
    (mark,) = marks(talk.gateway, "tcp")
    assert mark & (CT_PASS | CT_DROP) == bit
    assert counted(talk.gateway, f"{decision.name.lower()}_inspection") == 1
    assert talk.send(QUESTION, ANSWER) == [passed, passed]


@pytest.mark.kernel
def test_what_nobody_decides_is_dropped(talk: Talk):
    load(talk.gateway, RULE, options=TARGET)
    assert talk.send(HANDSHAKE[0]) == [False]
    assert counted(talk.gateway, "drop_inspection_failed") == 1
    assert not marks(talk.gateway, "tcp")


ROUTING = """
table inet somebody {{
  chain routing {{
    type filter hook prerouting priority mangle; policy accept;
    meta mark set {mark:#x}
  }}
}}
"""


@pytest.mark.kernel
@pytest.mark.parametrize("action", [RuleAction.DROP, RuleAction.INSPECT])
def test_a_mark_for_routing_is_not_taken_for_the_inspectors(talk: Talk, action: RuleAction):
    load(
        talk.gateway,
        "pass udp any any -> any 53 ()",
        RULE,
        options=TARGET,
        more=ROUTING.format(mark=action << ACTION_SHIFT | 1),
    )
    assert talk.send(UDP.udp(), UDP.swapped().udp(), UDP.udp()) == [True] * 3
    assert counted(talk.gateway, "drop_inspection") == 0


def test_what_comes_from_elsewhere_is_no_business_of_the_inspectors():
    for mode, asked in ((Mode.GATEWAY, 'iifname { "lan0" } '), (Mode.HOST, 'oifname { "lan0" } '), (Mode.BRIDGE, "")):
        attach = Attach(mode, ("lan0",))
        chains = rendered(
            lambda chains, ends, attach=attach: render_inspection(chains, ends, attach, RenderOptions(queue=QueueWay.NATIVE))
        )
        hook = "output" if mode is Mode.HOST else "forward"
        assert f"meta mark & 0x00700000 != 0x0 {asked}goto inspected" in chains[f"inspected_{hook}"]
        assert f"== 0x00500000 {asked}queue" in chains[f"queue_{hook}"]
