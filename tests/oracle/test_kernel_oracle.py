"""The oracle itself: what it reads, that it says the labels, and that it leaves nothing behind."""

from __future__ import annotations

import os

import pytest

from tests.conntrack.segments import PAIR6, Pair, ip
from tests.oracle.kernel import KernelOracle, Listed, Namespace, marker, parse_listed, why_unavailable

TCP_LINE = (
    "tcp      6 431999 ESTABLISHED src=10.0.0.1 dst=10.9.0.1 sport=1000 dport=80 "
    "src=10.9.0.1 dst=10.0.0.1 sport=80 dport=1000 [ASSURED] mark=0 use=1"
)
UDP_LINE = (
    "udp      17 29 src=10.0.0.1 dst=10.9.0.1 sport=1 dport=2 [UNREPLIED] "
    "src=10.9.0.1 dst=10.0.0.1 sport=2 dport=1 mark=0 use=1"
)


def test_list_is_read():
    assert parse_listed(TCP_LINE) == Listed("tcp", 431999, "ESTABLISHED", assured=True, unreplied=False)
    assert parse_listed(UDP_LINE) == Listed("udp", 29, "", assured=False, unreplied=True)
    assert parse_listed("conntrack v1.4.8 (conntrack-tools): 1 flow entries have been shown.") is None


def test_markers_differ():
    assert marker(1) != marker(2)
    assert len(marker(1)) == len(marker(1 << 40))


@pytest.fixture
def available() -> None:
    reason = why_unavailable()
    if reason:
        pytest.skip(reason)


@pytest.mark.kernel
@pytest.mark.usefixtures("available")
def test_labels_and_what_does_not_come_out():
    with KernelOracle() as oracle:
        for pair in (Pair(), PAIR6):
            assert oracle.label(pair.udp()) == ("NEW", "original")
            assert oracle.label(pair.swapped().udp()) == ("ESTABLISHED", "reply")
        assert oracle.label(Pair().tcp("SF", 1)) == ("INVALID", "")
        assert oracle.label(PAIR6.icmp(135)) == ("UNTRACKED", "")
        assert oracle.label(ip("127.0.0.1", "10.0.0.2", 17, bytes(8))) is None  # a martian
        assert len(oracle.listed()) == 2
        oracle.flush()
        assert oracle.listed() == []


@pytest.mark.kernel
@pytest.mark.usefixtures("available")
def test_namespace_ends_with_its_holder():
    namespace = Namespace()
    holder = namespace.holder.pid
    assert "lo" in namespace.run("ip", "link")
    namespace.close()
    with pytest.raises(ProcessLookupError):
        os.kill(holder, 0)
