"""The maps of a program: made, found again, refused where they are another version's."""

from __future__ import annotations

import os
import struct

import numpy as np
import pytest

from tests.compile.generate import make_rule
from tests.live.kernel import ebpf_or_skip
from twinwall.compile.stateless import compile_stateless
from twinwall.live.bpf_maps import ARRAY, Map
from twinwall.live.bpf_programs import LOAD_MAP_FD, XDP, Program
from twinwall.live.error import EnforcementError
from twinwall.live.xdp_maps import KINDS, StageMaps
from twinwall.policy.model import Action, StatelessStage
from twinwall.targets.ebpf_entry import C_RULES
from twinwall.targets.elf import Place, ProgramCode

pytestmark = pytest.mark.kernel

TABLE = compile_stateless(StatelessStage((make_rule(Action.DROP), make_rule(Action.PASS))))
LOAD = struct.pack("<BBhiBBhi", 0x18, 2, 0, 0, 0, 0, 0, 0)
RETURN_PASS = struct.pack("<BBhiBBhi", 0xB7, 0, 0, 2, 0x95, 0, 0, 0)


@pytest.fixture(scope="module", autouse=True)
def kernel():
    ebpf_or_skip()


def program_with(maps):
    """A program that refers to maps and does nothing with them."""
    code = ProgramCode(LOAD * len(maps) + RETURN_PASS, tuple(Place(16 * at, name) for at, name in enumerate(maps)))
    return Program.load(XDP, code, maps)


def test_maps_are_found_again_from_the_program_alone():
    before = len(os.listdir("/proc/self/fd"))
    made = StageMaps.make(TABLE)
    with program_with(made.to_fill_in()) as program:
        made.close()
        found = StageMaps.of(program)
        assert np.array_equal(np.frombuffer(found.table.read(), np.uint64)[: len(TABLE.words)], TABLE.words)
        assert (found.counters.entries, found.successor.entries) == (C_RULES + 2, 1)
        assert found.to_fill_in().keys() == KINDS.keys()
        found.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_program_with_other_maps_is_another_version_s():
    before = len(os.listdir("/proc/self/fd"))
    with (
        Map.create(ARRAY, 8, 1, name="tw_other") as other,
        program_with({"it": (other, LOAD_MAP_FD)}) as program,
        pytest.raises(EnforcementError, match="loaded by another version of twinwall"),
    ):
        StageMaps.of(program)
    assert len(os.listdir("/proc/self/fd")) == before
