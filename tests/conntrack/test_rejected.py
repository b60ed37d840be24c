from __future__ import annotations

import numpy as np
import pytest

from tests.conntrack.segments import Pair, ip, tcp
from tests.conntrack.tracked import Tracked
from twinwall.conntrack.chains import entry_at
from twinwall.conntrack.rejected import close_rejected
from twinwall.path.decode import decode
from twinwall.path.layout import LINK_RAW, RECORD
from twinwall.path.primitives import Pointer
from twinwall.policy.model import Flows, Timeout, Tracking

PAIR = Pair()
RECORD_ROUTE = b"\x07\x07\x04\0\0\0\0\0"


def with_options(packet: bytes, options: bytes) -> bytes:
    return bytes([0x45 + len(options) // 4]) + packet[1:20] + options + packet[20:]


def established(flows: Flows) -> Tracked:
    tracked = Tracked(Tracking(connections=10, flows=flows, timeouts=((Timeout.TCP_CLOSE, 7),)))
    for packet in (PAIR.tcp("S", 1), PAIR.swapped().tcp("SA", 9, 2), PAIR.tcp("A", 2, 10)):
        tracked.send(packet)
    return tracked


def reject(tracked: Tracked, packet: bytes) -> None:
    index = tracked.send(packet).index
    record = np.zeros(1, RECORD)
    place, start = Pointer(record.view(np.uint8).data), Pointer(packet)
    decode(start, start + len(packet), LINK_RAW, len(packet), place)
    close_rejected(tracked.pointer, entry_at(tracked.pointer, index), place, tracked.now)


def test_the_reset_of_a_reject_closes_the_connection():
    tracked = established(Flows.LINUX)
    reject(tracked, PAIR.tcp("A", 2, 10, 100))
    assert tracked.listed() == ("CLOSE", 7, "ASSURED")


def test_a_closed_connection_lives_no_longer_for_it():
    tracked = established(Flows.LINUX)
    reject(tracked, PAIR.tcp("A", 2, 10, 100))
    tracked.wait(3)
    reject(tracked, PAIR.tcp("A", 102, 10, 100))
    assert tracked.listed() == ("CLOSE", 7, "ASSURED")  # the segment itself renews it, as any does


@pytest.mark.parametrize(
    "packet",
    [
        PAIR.tcp("R", 3),  # in the window, not exact: the state stays
        with_options(ip(*(each.address for each in PAIR), 6, tcp(40000, 443, "A", 2, 10, 9, b"", b"")), RECORD_ROUTE),
    ],
    ids=["a reset", "its route recorded"],
)
def test_what_is_not_answered_closes_nothing(packet: bytes):
    tracked = established(Flows.LINUX)
    reject(tracked, packet)
    assert tracked.listed()[0] == "ESTABLISHED"


def test_flows_of_the_rules_know_no_reset_of_ours():
    tracked = established(Flows.RULES)
    reject(tracked, PAIR.tcp("A", 2, 10, 100))
    assert tracked.listed()[0] == "ESTABLISHED"
