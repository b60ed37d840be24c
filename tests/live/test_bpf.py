"""The bpf system call itself: refusals in words, descriptors that are let go."""

from __future__ import annotations

import errno

import pytest

from tests.live.kernel import ebpf_or_skip
from twinwall.live import bpf
from twinwall.live.bpf_maps import ARRAY, Map

pytestmark = pytest.mark.kernel


@pytest.fixture(scope="module", autouse=True)
def kernel():
    ebpf_or_skip()


def test_a_refusal_says_what_was_tried_why_not_and_what_to_do():
    with pytest.raises(bpf.BpfError, match=r"open program 4294967295: No such file or directory\n    hint: it does not exist"):
        bpf.bpf(bpf.PROG_FD_BY_ID, b"\xff" * 4 + bytes(8), "open program 4294967295")


def test_a_refusal_shows_the_end_of_the_verifier_s_log():
    error = bpf.BpfError(errno.EACCES, "load it", "\n".join(f"line {number}" for number in range(100)))
    assert "line 99" in str(error)
    assert "line 90" not in str(error)
    assert error.log.startswith("line 0")


def test_a_closed_object_is_gone_and_may_be_closed_again():
    array = Map.create(ARRAY, 8, 1)
    array.close()
    array.close()
    with pytest.raises(bpf.BpfError, match="Bad file descriptor"):
        array.read()


def test_an_unknown_machine_is_said(monkeypatch):
    monkeypatch.setattr(bpf.platform, "machine", lambda: "pdp11")
    with pytest.raises(bpf.BpfError, match=r"create the map x on pdp11: .*\n    hint: without the bpf system call") as refused:
        Map.create(ARRAY, 8, 1, name="x")
    assert refused.value.number == errno.ENOSYS
