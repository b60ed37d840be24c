"""Maps: what is written is read again, by index, by CPU, by address; constants stay."""

from __future__ import annotations

import errno
import os
import struct

import pytest

from tests.live.kernel import ebpf_or_skip
from twinwall.live.bpf import BpfError
from twinwall.live.bpf_maps import ARRAY, MAPPABLE, ArrayMap, Map, PercpuArray, ProgramArray, possible_cpus

pytestmark = pytest.mark.kernel


@pytest.fixture(scope="module", autouse=True)
def kernel():
    ebpf_or_skip()


def open_descriptors():
    return len(os.listdir("/proc/self/fd"))


def test_what_is_written_to_a_map_is_read_again():
    with Map.create(ARRAY, 8, 3) as array:
        assert array.read(1) == bytes(8)
        array.update(b"12345678", 1)
        array.update(b"abc", 2)
        assert [array.read(index) for index in range(3)] == [bytes(8), b"12345678", b"abc" + bytes(5)]


def test_an_index_beyond_the_map_is_refused():
    with Map.create(ARRAY, 8, 2) as array:
        with pytest.raises(BpfError, match="read a map") as refused:
            array.read(2)
        assert refused.value.number == errno.ENOENT
        with pytest.raises(BpfError, match="write a map"):
            array.update(b"12345678", 2)


def test_a_per_cpu_map_has_a_value_for_every_cpu():
    cpus = possible_cpus()
    assert cpus >= len(os.sched_getaffinity(0))
    with PercpuArray.make(16, 3, "counters") as array:
        assert array.words().shape == (3, cpus, 2)
        assert not array.words().any()
        assert len(array.read(2)) == 16 * cpus


def test_a_constant_is_read_and_no_longer_written():
    with ArrayMap.constant(b"the last", 16, "constant") as array:
        assert array.read() == b"the last" + bytes(8)
        with pytest.raises(BpfError, match="write a map") as refused:
            array.update(b"too late")
        assert refused.value.number == errno.EPERM


def test_a_constant_larger_than_its_map_leaves_nothing_behind():
    before = open_descriptors()
    with pytest.raises(ValueError, match="byte string too long"):
        ArrayMap.constant(bytes(17), 16, "constant")
    assert open_descriptors() == before


def test_mapped_memory_is_the_map_s():
    with ArrayMap.create(ARRAY, 16, 1, flags=MAPPABLE, name="control") as array, array.mapped() as memory:
        memory[8:16] = struct.pack("<Q", 77)
        assert array.read() == struct.pack("<QQ", 0, 77)


def test_a_map_is_found_by_its_number():
    with Map.create(ARRAY, 24, 5, name="by_number") as array:
        array.update(b"here", 3)
        with ArrayMap.of_identifier(array.about().identifier) as found:
            assert found.about() == array.about()
            assert (found.value_bytes, found.entries, found.about().name) == (24, 5, "by_number")
            assert found.read(3)[:4] == b"here"


def test_an_array_of_programs_takes_no_other_descriptors():
    with ProgramArray.make(1, "next") as array, Map.create(ARRAY, 8, 1) as other:
        with pytest.raises(BpfError, match="write a map"):
            array.put(other)
        with pytest.raises(BpfError, match="empty a map: No such file"):
            array.remove()


def test_a_map_that_cannot_be_is_refused_with_the_kernel_s_reason():
    with pytest.raises(BpfError, match=r"create the map none: Invalid argument"):
        Map.create(ARRAY, 8, 0, name="none")
