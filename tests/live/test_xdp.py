"""The XDP stage in a namespace: frames in, and what was counted, stamped and dropped."""

from __future__ import annotations

import pytest

from tests.live.kernel import ebpf_or_skip
from tests.live.wire import Wire, until
from tests.oracle.kernel import why_unavailable
from tests.packets import ethernet, ipv4, tcp, udp
from twinwall.compile.policy import compile_policy
from twinwall.path.layout import TCP, UDP
from twinwall.path.reason import Reason
from twinwall.render.marks import STAMP_SHIFTS, Stamp
from twinwall.rules.policy_file import load_policy

pytestmark = pytest.mark.kernel

HEAD = """twinwall: 1
stateless:
  default: {default}
  fragments: drop
  rules: |
"""
RULES = """    drop tcp any any -> any 23 (sid:1;)
    pass udp any any -> any 53 (sid:2;)
    drop udp any any -> any 9 (sid:3;)
"""
TELNET, WEB = (ethernet(ipv4(tcp(1024, port, 2), TCP), 0x0800) for port in (23, 80))
DNS, DISCARD = (ethernet(ipv4(udp(1024, port), UDP), 0x0800) for port in (53, 9))
ALL_STAMPS = {stamp: tuple(stamp << shift for shift in STAMP_SHIFTS) for stamp in Stamp}


@pytest.fixture(scope="module", autouse=True)
def kernel():
    ebpf_or_skip()
    reason = why_unavailable()
    if reason:
        pytest.skip(reason)


@pytest.fixture
def wire():
    with Wire() as made:
        yield made


def policy(tmp_path, rules=RULES, default="forward"):
    path = tmp_path / "policy.yaml"
    path.write_text(HEAD.format(default=default) + rules + "attach: {mode: gateway, inside: [fw0], outside: []}\n")
    return load_policy(path)


def load(policy, generation=1, **more):
    from twinwall.live.xdp import XdpStage

    return XdpStage.load(compile_policy(policy), policy, generation, **more)


def seen(stage):
    """How many packets the stage has counted."""
    return sum(count.packets for count in stage.counters().reasons.values())


def test_frames_are_dropped_stamped_and_counted(wire, tmp_path):
    marks = [stamp << STAMP_SHIFTS[1] for stamp in Stamp]
    wire.count_marks(*marks)
    with load(policy(tmp_path)) as stage:
        assert stage.attach("fw0") == "native"
        wire.send(TELNET, TELNET, DNS, DISCARD, WEB, WEB, WEB)
        until(lambda: sum(wire.marks().values()) == 4)
        counters = stage.counters()
    assert wire.marks() == {Stamp.PASS << STAMP_SHIFTS[1]: 1, Stamp.FORWARD << STAMP_SHIFTS[1]: 3}
    assert [count.packets for count in counters.rules] == [2, 1, 1]
    assert counters.rules[0].bytes == 2 * len(TELNET)
    assert counters.reasons == {
        Reason.STATELESS_RULE: (4, 2 * len(TELNET) + 2 * len(DNS)),
        Reason.STATELESS_DEFAULT: (3, 3 * len(WEB)),
    }
    assert counters.unstamped.packets == 0
