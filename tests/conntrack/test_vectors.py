"""Every vector of vectors/conntrack, by the tracker and by the kernel, over IPv4 and IPv6."""

from __future__ import annotations

import pytest

from tests.conntrack.conversation import FOLDER, NO_ENTRY, Conversation, Listing, conversations
from tests.conntrack.segments import PAIR6, Pair
from tests.conntrack.tracked import Tracked
from tests.oracle.kernel import KernelOracle, why_unavailable
from twinwall.policy.model import Tracking

VECTORS = conversations(Pair()) + conversations(PAIR6)
IDS = [f"{vector.name}-v{vector.steps[0].packet[0] >> 4}" for vector in VECTORS]
FIELDS = {"tcp_loose": bool, "tcp_be_liberal": bool, "tcp_ignore_invalid_rst": bool}


def settings(vector: Conversation) -> Tracking:
    return Tracking(connections=100, **{name: FIELDS[name](value) for name, value in vector.settings.items()})


@pytest.mark.parametrize("vector", VECTORS, ids=IDS)
def test_tracker(vector: Conversation):
    tracked = Tracked(settings(vector))
    for step in vector.steps:
        answer = str(tracked.send(step.packet))
        assert answer == step.label, f"{vector.name} line {step.line}; this vector catches: {vector.catches}"
        if step.entry == NO_ENTRY:
            assert not tracked.living(), f"{vector.name} line {step.line}"
        elif step.entry is not None:
            state, seconds, flag = tracked.listed()
            assert Listing(state, round(seconds), flag) == step.entry, f"{vector.name} line {step.line}"


def test_folder_holds_nothing_else():
    assert {path.suffix for path in FOLDER.iterdir()} == {".conversation"}


@pytest.fixture(scope="module")
def kernel():
    reason = why_unavailable()
    if reason:
        pytest.skip(reason)
    with KernelOracle() as oracle:
        yield oracle


@pytest.mark.kernel
@pytest.mark.parametrize("vector", VECTORS, ids=IDS)
def test_kernel(vector: Conversation, kernel: KernelOracle):
    kernel.flush()
    before = {name: kernel.read_sysctl(f"net.netfilter.nf_conntrack_{name}") for name in vector.settings}
    for name, value in vector.settings.items():
        kernel.sysctl(f"net.netfilter.nf_conntrack_{name}", value)
    try:
        for step in vector.steps:
            label = kernel.label(step.packet)
            assert label is not None
            assert " ".join(filter(None, label)) == step.label, f"{vector.name} line {step.line}"
        last = vector.steps[-1].entry
        listed = [each for each in kernel.listed() if each.protocol == "tcp"]
        if last == NO_ENTRY:
            assert listed == []
        elif last is not None:
            (line,) = listed
            flag = "ASSURED" if line.assured else "UNREPLIED" if line.unreplied else ""
            assert (line.state, flag) == (last.state, last.flag)
            assert last.seconds - 2 <= line.seconds <= last.seconds
    finally:
        for name, value in before.items():
            kernel.sysctl(f"net.netfilter.nf_conntrack_{name}", value)
