"""Many frames decoded in one call: each record is what the frame's own decoding gives, whichever machine does it."""

from __future__ import annotations

import numpy as np
import pytest

from tests.events.frames import between, ethernet, tcp, udp
from tests.path.decoding import decoded
from twinwall.engine.machine import InterpretedMachine, NativeMachine
from twinwall.path.decode_all import decode_all
from twinwall.path.layout import FRAME, LINK_ETHERNET, LINK_RAW, RECORD, TCP, UDP

PACKETS = (
    between("10.0.0.1", "192.0.2.7", TCP, tcp(40000, 80, 7, 0, 2)),
    between("2001:db8::1", "2001:db8::2", UDP, udp(53, 5353, b"?")),
)
FRAMES = [(LINK_RAW, PACKETS[0]), (LINK_ETHERNET, ethernet(PACKETS[1])), (LINK_RAW, PACKETS[0][:21]), (LINK_RAW, b"")]
FUNCTIONS = {"decode_all": decode_all}


@pytest.mark.parametrize("machine", [InterpretedMachine, NativeMachine])
def test_each_record_is_its_frames(machine):
    buffer = np.frombuffer(b"".join(frame for _, frame in FRAMES), np.uint8)
    frames, records = np.zeros(len(FRAMES), FRAME), np.zeros(len(FRAMES), RECORD)
    offset = 0
    for row, (link, frame) in enumerate(FRAMES):
        frames[row] = (offset, 0, len(frame), len(frame) + row, link, 0, 0, 0)
        offset += len(frame)
    made = machine(functions=FUNCTIONS)
    assert made.call("decode_all", *map(made.place, (frames, buffer, records)), len(FRAMES)) == len(FRAMES)
    assert records.tolist() == [
        decoded(frame, link, len(frame) + row).record.tolist() for row, (link, frame) in enumerate(FRAMES)
    ]
