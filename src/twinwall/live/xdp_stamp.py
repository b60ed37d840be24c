"""The tc program behind XDP, on an interface: put there once, left in place while policies change."""

from __future__ import annotations

import errno

from twinwall.live.bpf import BpfError
from twinwall.live.bpf_programs import SCHED_CLS, Program, attach_tcx, detach_tcx, tcx_programs
from twinwall.live.error import EnforcementError
from twinwall.targets.ebpf_stamp import stamp_program

STAMP_NAME = "twinwall_stamp"


def attach_stamp(index: int, seal: int) -> None:
    """Put the tc program first at the interface's ingress, or in place of the one that is there.  Raises `EnforcementError`."""
    with Program.load(SCHED_CLS, stamp_program(seal), {}, name=STAMP_NAME) as program:
        try:
            present = find_stamp(index)
            if present is None:
                attach_tcx(program, index)
                return
            with present:
                attach_tcx(program, index, present)
        except BpfError as error:
            if error.number != errno.EINVAL:
                raise
            remedy = "use Linux 6.6 or later; before, the stateless stage runs as an nftables chain"
            raise EnforcementError(error.action, "this kernel has no TCX hook", remedy) from error


def find_stamp(index: int) -> Program | None:
    """Our tc program on the interface; None if it is not there."""
    for identifier in tcx_programs(index):
        program = Program.of_identifier(identifier)
        if program.about().name == STAMP_NAME:
            return program
        program.close()
    return None


def has_stamp(index: int) -> bool:
    """Whether it is there."""
    program = find_stamp(index)
    if program is None:
        return False
    program.close()
    return True


def detach_stamp(index: int) -> None:
    """Take the tc program away, if it is there."""
    present = find_stamp(index)
    if present is not None:
        with present:
            detach_tcx(present, index)
