"""The bpf system call: maps, programs, the verifier's word and test runs.  Nothing is attached to any interface."""

from __future__ import annotations

import errno
import os
import struct

import numpy as np
import pytest

from tests.live.kernel import ebpf_or_skip
from twinwall.path.primitives import Address, load_u8, put, table_at
from twinwall.targets.ebpf import compile_program
from twinwall.targets.elf import ProgramCode

pytestmark = pytest.mark.kernel

XDP_DROP, XDP_PASS = 1, 2
RETURN_PASS = struct.pack("<BBhi", 0xB7, 0, 0, XDP_PASS) + struct.pack("<BBhi", 0x95, 0, 0, 0)  # r0 = 2; exit
UNCHECKED = (
    struct.pack("<BBhi", 0x61, 0x11, 0, 0)  # r1 = context->data
    + struct.pack("<BBhi", 0x71, 0x10, 0, 0)  # r0 = *(u8 *)r1, without a look at data_end
    + struct.pack("<BBhi", 0x95, 0, 0, 0)
)
FRAME = bytes(range(64))


@pytest.fixture(scope="module")
def bpf():
    return ebpf_or_skip()


def open_descriptors():
    return len(os.listdir("/proc/self/fd"))


def test_what_is_written_to_a_map_is_read_again(bpf):
    with bpf.ArrayMap(8, 3) as array:
        assert array.read(1) == bytes(8)
        array.update(b"12345678", 1)
        array.update(b"abcdefgh", 2)
        assert [array.read(index) for index in range(3)] == [bytes(8), b"12345678", b"abcdefgh"]


def test_an_index_beyond_the_map_is_refused(bpf):
    with bpf.ArrayMap(8, 2) as array:
        with pytest.raises(bpf.BpfError, match="read a map") as refused:
            array.read(2)
        assert refused.value.errno == errno.ENOENT
        with pytest.raises(bpf.BpfError, match="write a map"):
            array.update(b"12345678", 2)


def test_a_per_cpu_map_has_a_value_for_every_cpu(bpf):
    with bpf.ArrayMap(8, per_cpu=True) as array:
        cpus = len(array.read()) // 8
        assert cpus >= len(os.sched_getaffinity(0))
        values = struct.pack(f"<{cpus}Q", *range(cpus))
        array.update(values)
        assert array.read() == values


def test_a_frozen_map_is_read_and_no_longer_written(bpf):
    with bpf.ArrayMap(8, read_only=True) as array:
        array.update(b"the last")
        array.freeze()
        with pytest.raises(bpf.BpfError, match="write a map") as refused:
            array.update(b"too late")
        assert refused.value.errno == errno.EPERM
        assert array.read() == b"the last"


def test_a_map_that_cannot_be_is_refused_with_the_kernel_s_reason(bpf):
    with pytest.raises(bpf.BpfError, match=r"create a map: Invalid argument"):
        bpf.ArrayMap(8, 0)


def test_a_closed_object_is_gone_and_may_be_closed_again(bpf):
    before = open_descriptors()
    array = bpf.ArrayMap(8)
    assert open_descriptors() == before + 1
    array.close()
    array.close()
    assert open_descriptors() == before
    with pytest.raises(bpf.BpfError, match="Bad file descriptor"):
        array.read()


def test_a_program_runs_in_the_kernel_without_an_interface(bpf):
    with bpf.Program(ProgramCode(RETURN_PASS, ()), {}) as program:
        action, nanoseconds = program.run(FRAME, repeat=3)
        assert action == XDP_PASS
        assert nanoseconds >= 0
        assert program.verifier_log == ""


def test_the_verifier_s_log_is_there_when_asked_for(bpf):
    with bpf.Program(ProgramCode(RETURN_PASS, ()), {}, log=True) as program:
        assert "exit" in program.verifier_log or "processed" in program.verifier_log


def test_a_refusal_carries_the_verifier_s_log(bpf):
    before = open_descriptors()
    with pytest.raises(bpf.BpfError, match="load the program") as refused:
        bpf.Program(ProgramCode(UNCHECKED, ()), {})
    assert refused.value.errno == errno.EACCES
    assert "invalid access to packet" in refused.value.log
    assert open_descriptors() == before


def count_and_judge(packet: Address, end: Address, table: Address, record: Address) -> int:
    """Drop what has the byte of word 3 of the table behind its addresses; the byte stays in word 2 of the record."""
    if packet + 14 > end:
        return 1
    value = load_u8(packet, 12)
    put(record, 2, value)
    if table_at(table, 3) == value:
        return 1
    return 2


@pytest.fixture(scope="module")
def compiled():
    return compile_program(count_and_judge, 8)


def test_a_policy_is_loaded_frozen_and_asked(bpf, compiled):
    before = open_descriptors()
    with bpf.load_policy(compiled, np.array([0, 0, 0, 9], np.uint64).tobytes()) as loaded:
        assert loaded.table.read() == struct.pack("<8Q", 0, 0, 0, 9, 0, 0, 0, 0)
        with pytest.raises(bpf.BpfError):
            loaded.table.update(bytes(64))
        home = os.sched_getaffinity(0)
        cpu = min(home)
        os.sched_setaffinity(0, {cpu})  # a test run happens on the caller's CPU
        try:
            for first, action in ((9, XDP_DROP), (8, XDP_PASS), (255, XDP_PASS)):
                assert loaded.program.run(FRAME[:12] + bytes([first]) + FRAME)[0] == action
                record = loaded.records.read()[cpu * loaded.records.value_bytes :]
                assert int.from_bytes(record[16:24], "little") == first
        finally:
            os.sched_setaffinity(0, home)
    assert open_descriptors() == before


def reads_too_far(packet: Address, end: Address, table: Address, record: Address) -> int:
    return load_u8(packet, 100)


def test_a_policy_whose_program_is_refused_leaves_nothing_behind(bpf):
    before = open_descriptors()
    program = compile_program(reads_too_far, 8)
    with pytest.raises(bpf.BpfError) as refused:
        bpf.load_policy(program, bytes(8))
    assert "invalid access to packet" in refused.value.log
    assert open_descriptors() == before


def test_an_unknown_machine_is_said(bpf, monkeypatch):
    monkeypatch.setattr(bpf.platform, "machine", lambda: "pdp11")
    with pytest.raises(bpf.BpfError, match="create a map on pdp11"):
        bpf.ArrayMap(8)
