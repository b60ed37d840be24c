"""Programs: the verifier's word, test runs, and how one is found again.  Nothing is attached to any interface."""

from __future__ import annotations

import errno
import os
import struct

import pytest

from tests.live.kernel import ebpf_or_skip
from twinwall.live.bpf import BpfError
from twinwall.live.bpf_maps import ARRAY, Map
from twinwall.live.bpf_programs import LOAD_MAP_FD, LOAD_MAP_VALUE, XDP, Program
from twinwall.targets.elf import Place, ProgramCode

pytestmark = pytest.mark.kernel

XDP_DROP, XDP_PASS = 1, 2
EXIT = struct.pack("<BBhi", 0x95, 0, 0, 0)
RETURN_PASS = struct.pack("<BBhi", 0xB7, 0, 0, XDP_PASS) + EXIT
UNCHECKED = (
    struct.pack("<BBhi", 0x61, 0x11, 0, 0)  # r1 = context->data
    + struct.pack("<BBhi", 0x71, 0x10, 0, 0)  # r0 = *(u8 *)r1, without a look at data_end
    + EXIT
)
LOAD_2 = struct.pack("<BBhiBBhi", 0x18, 2, 0, 0, 0, 0, 0, 0)
READ_2 = struct.pack("<BBhi", 0x61, 0x20, 0, 0)  # r0 = *(u32 *)r2
FRAME = bytes(range(64))


@pytest.fixture(scope="module", autouse=True)
def kernel():
    ebpf_or_skip()


def open_descriptors():
    return len(os.listdir("/proc/self/fd"))


def load(code, maps=None, places=(), **more):
    return Program.load(XDP, ProgramCode(code, places), maps or {}, **more)


def test_a_program_runs_in_the_kernel_without_an_interface():
    with load(RETURN_PASS) as program:
        action, nanoseconds = program.run(FRAME, repeat=3)
        assert action == XDP_PASS
        assert nanoseconds >= 0


def test_a_refusal_carries_the_verifier_s_log():
    before = open_descriptors()
    with pytest.raises(BpfError, match="load the program") as refused:
        load(UNCHECKED)
    assert refused.value.number == errno.EACCES
    assert "invalid access to packet" in refused.value.log
    assert "invalid access to packet" in str(refused.value)
    assert open_descriptors() == before


def test_a_program_reads_a_map_by_address():
    with Map.create(ARRAY, 8, 1) as array:
        array.update(struct.pack("<II", XDP_DROP, 0))
        with load(LOAD_2 + READ_2 + EXIT, {"it": (array, LOAD_MAP_VALUE)}, (Place(0, "it"),)) as program:
            assert program.run(FRAME)[0] == XDP_DROP


def test_a_place_inside_a_map_s_value():
    inside = LOAD_2[:4] + struct.pack("<i", 4) + LOAD_2[8:]
    with Map.create(ARRAY, 8, 1) as array:
        array.update(struct.pack("<II", 0, XDP_PASS))
        with load(inside + READ_2 + EXIT, {"it": (array, LOAD_MAP_VALUE)}, (Place(0, "it"),)) as program:
            assert program.run(FRAME)[0] == XDP_PASS


def test_a_program_is_found_by_its_number_with_its_maps():
    place = (Place(0, "it"),)
    with (
        Map.create(ARRAY, 8, 1, name="mine") as array,
        load(LOAD_2 + RETURN_PASS, {"it": (array, LOAD_MAP_FD)}, place, name="found") as program,
    ):
        about = program.about()
        assert (about.kind, about.name, about.map_identifiers) == (XDP, "found", (array.about().identifier,))
        with Program.of_identifier(about.identifier) as again:
            assert again.about() == about
            assert again.run(FRAME)[0] == XDP_PASS


def test_a_program_that_is_gone_is_not_found():
    with load(RETURN_PASS) as program:
        number = program.about().identifier
    with pytest.raises(BpfError, match=f"open program {number}: No such file"):
        Program.of_identifier(number)
