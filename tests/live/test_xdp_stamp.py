"""The tc program on an interface: there once, beside others', and gone when asked."""

from __future__ import annotations

import errno
import struct

import pytest

from tests.live.kernel import ebpf_or_skip
from tests.live.wire import Wire
from tests.oracle.kernel import why_unavailable
from twinwall.live import xdp_stamp
from twinwall.live.bpf import BpfError
from twinwall.live.bpf_programs import SCHED_CLS, Program, attach_tcx, tcx_programs
from twinwall.live.error import EnforcementError
from twinwall.live.links import link
from twinwall.targets.elf import ProgramCode

pytestmark = pytest.mark.kernel

NEXT = ProgramCode(struct.pack("<BBhiBBhi", 0xB7, 0, 0, -1, 0x95, 0, 0, 0), ())


@pytest.fixture
def index():
    ebpf_or_skip()
    reason = why_unavailable()
    if reason:
        pytest.skip(reason)
    with Wire():
        yield link("fw0").index


def names(index):
    found = []
    for identifier in tcx_programs(index):
        with Program.of_identifier(identifier) as program:
            found.append(program.about().name)
    return found


def test_it_is_there_once_and_first(index):
    with Program.load(SCHED_CLS, NEXT, {}, name="somebodys") as other:
        attach_tcx(other, index)
        for seal in (1, 2):
            xdp_stamp.attach_stamp(index, seal)
            assert names(index) == [xdp_stamp.STAMP_NAME, "somebodys"]
        xdp_stamp.detach_stamp(index)
        assert names(index) == ["somebodys"]


def test_what_is_not_there_may_be_taken_away(index):
    xdp_stamp.detach_stamp(index)
    assert xdp_stamp.find_stamp(index) is None


def test_a_kernel_without_the_hook_is_named(index, monkeypatch):
    def refuse(index):
        raise BpfError(errno.EINVAL, "ask which programs are attached to an interface")

    monkeypatch.setattr(xdp_stamp, "tcx_programs", refuse)
    with pytest.raises(EnforcementError, match=r"this kernel has no TCX hook\n    hint: use Linux 6.6 or later"):
        xdp_stamp.attach_stamp(index, 1)


def test_other_refusals_stay_what_they_are(index):
    with pytest.raises(BpfError, match="No such device") as refused:
        xdp_stamp.attach_stamp(99999, 1)
    assert refused.value.number == errno.ENODEV
