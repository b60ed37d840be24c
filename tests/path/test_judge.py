"""The stateless engine on whole frames: what XDP answers, and what it leaves behind."""

from __future__ import annotations

import numpy as np
import pytest

from tests.compile.generate import make_rule
from tests.packets import ethernet, ipv4, ipv6, tcp, udp
from twinwall.compile.stateless import compile_stateless
from twinwall.path.judge import W_JUDGED, judge, xdp
from twinwall.path.layout import LINK_ETHERNET, LINK_RAW, NO_RULE, RECORD, RECORD_BYTES, TCP, UDP
from twinwall.path.primitives import Pointer, get
from twinwall.path.reason import Reason
from twinwall.path.table_layout import ACTION_DROP, ACTION_FORWARD, ACTION_PASS, H_STEPS, H_WORDS
from twinwall.policy.model import Action, Condition, PacketField, StatelessStage
from twinwall.policy.sets import PortSet

HTTPS = PortSet(((443, 443),))
DNS = PortSet(((53, 53),))
LAN = (Condition(PacketField.INTERFACE, ((2, 2),)),)
TABLE = compile_stateless(
    StatelessStage(
        (
            make_rule(Action.DROP, conditions=LAN),
            make_rule(Action.PASS, destination_ports=HTTPS),
            make_rule(Action.DROP, destination_ports=DNS),
        ),
        default=Action.FORWARD,
    )
)
WEB = ethernet(ipv4(tcp(1024, 443, 2), TCP), 0x0800)
NAMES = ethernet(ipv6(udp(1024, 53), UDP), 0x86DD, (0x8100,))
OTHER = ethernet(ipv4(udp(1024, 99), UDP), 0x0800)
ARP = ethernet(bytes(28), 0x0806)


def asked(frame, link=LINK_ETHERNET, wire_length=None, interface=1):
    """Action, reason and rule, and the record."""
    memory = bytearray(RECORD_BYTES)
    start = Pointer(frame)
    wire = len(frame) if wire_length is None else wire_length
    bounds = TABLE.header(H_WORDS), TABLE.header(H_STEPS)
    word = judge(start, start + len(frame), link, wire, interface, Pointer(TABLE.words), Pointer(memory), *bounds)
    return (word & 0xFF, word >> 8 & 0xFF, word >> 32), np.frombuffer(memory, RECORD)[0]


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (WEB, (ACTION_PASS, Reason.STATELESS_RULE, 1)),
        (NAMES, (ACTION_DROP, Reason.STATELESS_RULE, 2)),
        (OTHER, (ACTION_FORWARD, Reason.STATELESS_DEFAULT, NO_RULE)),
        (ARP, (ACTION_PASS, Reason.NOT_IP, NO_RULE)),
        (WEB[:50], (ACTION_DROP, Reason.BAD_IP_TOTAL_LENGTH, NO_RULE)),
        (WEB[:13], (ACTION_DROP, Reason.TRUNCATED_LINK, NO_RULE)),
    ],
    ids=["pass", "drop", "default", "not IP", "malformed", "truncated"],
)
def test_the_answer_to_a_frame(frame, expected):
    assert asked(frame)[0] == expected


def test_the_interface_is_noted_and_rules_can_ask_for_it():
    answer, record = asked(WEB, interface=2)
    assert answer == (ACTION_DROP, Reason.STATELESS_RULE, 0)
    assert (record["interface"], record["dport"]) == (2, 443)
    assert asked(ARP, interface=2)[0] == (ACTION_PASS, Reason.NOT_IP, NO_RULE)


def test_a_tunnel_s_inner_packet_is_noted_beside_the_interface():
    _, record = asked(ethernet(ipv4(ipv4(b"", 253), 4), 0x0800), interface=7)
    assert (record["inner"], record["interface"]) == (34, 7)


def test_other_link_types_and_cut_frames():
    assert asked(WEB[14:], LINK_RAW)[0] == (ACTION_PASS, Reason.STATELESS_RULE, 1)
    assert asked(WEB[:50], wire_length=len(WEB))[0] == (ACTION_DROP, Reason.SNAPPED, NO_RULE)


@pytest.mark.parametrize(("frame", "interface"), [(WEB, 1), (WEB, 2), (NAMES, 1), (OTHER, 1), (ARP, 2), (WEB[:50], 1)])
def test_xdp_takes_its_bounds_from_the_table_and_leaves_the_outcome(frame, interface):
    memory = bytearray(RECORD_BYTES + 8)
    start = Pointer(frame)
    word = xdp(start, start + len(frame), len(frame), interface, Pointer(TABLE.words), Pointer(memory))
    assert (word & 0xFF, word >> 8 & 0xFF, word >> 32) == asked(frame, interface=interface)[0]
    assert get(Pointer(memory), W_JUDGED) == word


def test_xdp_may_see_only_the_beginning_of_a_frame():
    long = ethernet(ipv4(tcp(1024, 443, 2, bytes(9000)), TCP), 0x0800)
    start = Pointer(long[:128])
    word = xdp(start, start + 128, len(long), 1, Pointer(TABLE.words), Pointer(bytearray(RECORD_BYTES + 8)))
    assert (word & 0xFF, word >> 8 & 0xFF, word >> 32) == (ACTION_PASS, Reason.STATELESS_RULE, 1)
