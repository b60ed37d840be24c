"""Trace messages: decoded by example, and as this kernel sends them."""

from __future__ import annotations

import socket
import struct
import subprocess

import pytest

from tests.live.namespace import namespace
from twinwall.live.netlink import Message, attribute, nested, text
from twinwall.live.nftrace import MESSAGE, Attribute, Code, Kind, Step, TraceListener, TrackerState, decode_step

TABLE = """
table inet t {
  chain c {
    type filter hook input priority 0; policy accept;
    udp dport 9 meta nftrace set 1
    udp dport 9 meta mark set 0x17 goto d
  }
  chain d {
    drop
  }
}
"""


def message(*attributes):
    return Message(MESSAGE, 0, 0, bytes([1, 0, 0, 0]) + b"".join(attributes))


def test_a_rule_that_jumps_is_decoded():
    verdict = nested(Attribute.VERDICT, attribute(1, struct.pack("!i", -3)), text(2, "there"))
    step = decode_step(
        message(
            text(Attribute.TABLE, "t"), text(Attribute.CHAIN, "c"), attribute(Attribute.HANDLE, (7).to_bytes(8)),
            attribute(Attribute.KIND, (3).to_bytes(4)), attribute(Attribute.IDENT, (5).to_bytes(4)),
            attribute(Attribute.MARK, (0x17).to_bytes(4)), attribute(Attribute.NETWORK_HEADER, b"net"),
            attribute(Attribute.TRANSPORT_HEADER, b"port"), verdict, attribute(Attribute.CONNECTION, (9).to_bytes(4)),
            attribute(Attribute.DIRECTION, b"\x01"), attribute(Attribute.STATE, (2).to_bytes(4)),
        )
    )  # fmt: skip
    assert step == Step(
        5, Kind.RULE, "inet", "t", "c", handle=7, code=Code.JUMP, target="there", mark=0x17, packet=b"netport",
        connection=9, direction=1, state=TrackerState.ESTABLISHED,
    )  # fmt: skip


def test_a_policys_verdict_is_decoded():
    step = decode_step(message(attribute(Attribute.KIND, (1).to_bytes(4)), attribute(Attribute.POLICY, bytes(4))))
    assert (step.kind, step.code) == (Kind.POLICY, Code.DROP)


def test_a_queue_is_known_whatever_its_number():
    verdict = nested(Attribute.VERDICT, attribute(1, (1776 << 16 | 3).to_bytes(4)))
    assert decode_step(message(attribute(Attribute.KIND, (3).to_bytes(4)), verdict)).code is Code.QUEUE


def test_what_older_kernels_leave_out_is_not_said():
    step = decode_step(message(attribute(Attribute.KIND, (2).to_bytes(4))))
    assert (step.connection, step.direction, step.state, step.packet) == (None, None, None, b"")


@pytest.mark.kernel
def test_the_kernel_tells_every_rule_that_a_packet_met():
    with namespace() as made, made.entered(), TraceListener() as listener:
        subprocess.run(["nft", "-f", "-"], input=TABLE, text=True, check=True)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"x", ("127.0.0.1", 9))
        steps = []
        while not any(step.code is Code.DROP for step in steps):
            found = listener.receive(10)
            assert found.steps
            steps += found.steps
    assert len({step.ident for step in steps}) == 1
    assert [(step.chain, step.code) for step in steps] == [("c", Code.CONTINUE), ("c", Code.GOTO), ("d", Code.DROP)]
    assert [step.mark for step in steps] == [0, 0x17, 0x17]
    assert steps[0].packet[9] == socket.IPPROTO_UDP
    assert steps[0].inside == 1
