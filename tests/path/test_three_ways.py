"""The packet path runs three ways and says the same: interpreted and as eBPF, each against native, over generated packets."""

import os

import numpy as np
import pytest

from tests.live.kernel import ebpf_or_skip
from tests.packets import frames
from tests.path.stateless_policy import stage
from twinwall.compile.stateless import compile_stateless
from twinwall.path.judge import W_JUDGED, judge
from twinwall.path.layout import RECORD, RECORD_BYTES, W_SCRATCH
from twinwall.path.primitives import Pointer
from twinwall.path.table_layout import H_STEPS, H_WORDS
from twinwall.targets import native

PACKETS = 1_000_000
SHARDS = 8
LOOPBACK = 1  # the interface of a test run
SCRATCH = slice(8 * W_SCRATCH, 8 * W_SCRATCH + 8)


class Native:
    """`judge`, compiled, over one frame at a time."""

    def __init__(self, interface, rules=None):
        self.table = compile_stateless(rules or stage())
        self.words = np.ascontiguousarray(self.table.words)
        self.bounds = int(self.words[H_WORDS]), int(self.words[H_STEPS])
        self.interface = interface
        self._judge = native.load({"judge": judge}).functions["judge"]
        self._frame = np.zeros(4096, np.uint8)
        self._record = np.zeros(1, RECORD)
        self._addresses = self._frame.ctypes.data, self.words.ctypes.data, self._record.ctypes.data
        self._view, self._bytes = memoryview(self._frame), memoryview(self._record.view(np.uint8))

    def __call__(self, frame):
        packet, table, record = self._addresses
        self._view[: len(frame)] = frame
        judged = self._judge(packet, packet + len(frame), 0, len(frame), self.interface, table, record, *self.bounds)
        return judged, bytes(self._bytes)


def without_scratch(record: bytes) -> bytes:
    return record[: SCRATCH.start] + record[SCRATCH.stop :]


@pytest.mark.parametrize("shard", range(SHARDS))
def test_interpreted_and_native_agree(shard):
    compiled = Native(interface=2)
    table = Pointer(compiled.words.view(np.uint8).data)
    memory = bytearray(RECORD_BYTES)
    record = Pointer(memory)
    reasons = set()
    for frame in frames(seed=shard, count=PACKETS // SHARDS):
        start = Pointer(frame)
        judged = judge(start, start + len(frame), 0, len(frame), 2, table, record, *compiled.bounds)
        expected, expected_record = compiled(frame)
        assert judged == expected, frame.hex()
        assert without_scratch(bytes(memory)) == without_scratch(expected_record), frame.hex()
        reasons.add((judged & 0xFFFF, judged >> 32))
    assert len(reasons) > 25, "the packets do not reach enough of the rules and reasons for this comparison to mean anything"


@pytest.mark.kernel
@pytest.mark.parametrize(("may_goto", "packets"), [(True, PACKETS), (False, PACKETS // 20)], ids=["may_goto", "compared"])
def test_ebpf_and_native_agree(may_goto, packets):
    ebpf_or_skip()
    from twinwall.live.bpf_programs import XDP, Program
    from twinwall.live.xdp_control import Control
    from twinwall.live.xdp_maps import StageMaps
    from twinwall.targets.ebpf import load_program

    compiled = Native(interface=2)
    maps = StageMaps.make(compiled.table)
    control = Control(maps.control)
    home = os.sched_getaffinity(0)
    cpu = min(home)
    os.sched_setaffinity(0, {cpu})  # a test run happens on the caller's CPU: its value of the per-CPU map is the one to read
    try:
        control.begin(1, 28, 0, b"")
        control.know(LOOPBACK, compiled.interface)
        code = load_program(may_goto=may_goto).for_table(maps.table.value_bytes // 8)
        with Program.load(XDP, code, maps.to_fill_in()) as program:
            at = cpu * maps.records.value_bytes
            for frame in frames(seed=SHARDS, count=packets):
                action, _ = program.run(frame)
                record = maps.records.read()[at : at + RECORD_BYTES + 8]
                expected, expected_record = compiled(frame)
                judged = int.from_bytes(record[8 * W_JUDGED :], "little")
                assert judged == expected, frame.hex()
                assert action == (1 if expected & 0xFF == 1 else 2)
                assert without_scratch(record[:RECORD_BYTES]) == without_scratch(expected_record), frame.hex()
    finally:
        os.sched_setaffinity(0, home)
        control.close()
        maps.close()
