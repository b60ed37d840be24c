"""Fuzz the decoder and the whole pipeline: python fuzz/fuzz_engine.py [corpus folder] (needs atheris).

The input is a list of frames, each after a head of 8 bytes: link type, flags, time step (2, signed, 10 ms), captured length
(2), bytes that the capture cut (2).  The packet path is interpreted, so that a read or write outside its memory raises.  Every
frame must be decided once, in order, by a known reason, and every counter must agree.
"""

from __future__ import annotations

import struct
import sys
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twinwall.compile.policy import compile_policy
from twinwall.engine.engine import Engine, Settings
from twinwall.engine.machine import InterpretedMachine
from twinwall.path.layout import FRAME
from twinwall.path.reason import Reason, Verdict
from twinwall.policy.model import Overlap
from twinwall.rules.policy_file import read_policy_text

HEAD = struct.Struct("<BBhHH")
LINKS = 7
LONGEST = 64  # frames of one input
STEP = 10_000_000  # nanoseconds
START = 1_700_000_000_000_000_000
CHECKSUMS, LAST_WINS, SMALL = 1, 2, 4  # flags of the first frame

POLICY = """
twinwall: 1
stateless:
  default: forward
  fragments: forward
  rules: |
    drop tcp any any -> any any (flags:SF,12; sid:1;)
    pass icmp any any <> any any (itype:13; sid:2;)
stateful:
  order: strict
  default: [drop_established, alert_established]
  midstream: continue
  invalid: continue
  rules: |
    alert ip any any -> any any (ipopts:rr; sid:3;)
    alert tcp any any -> any any (flow:established; flowbits:set,a; sid:4;)
    reject tcp any any -> any 22 (dsize:>3; sid:5;)
    drop udp any any -> any any (flowbits:isset,a; sid:6;)
    alert icmp any any -> any any (icode:>1; icmp_seq:7; sid:7;)
    drop ip any any -> any any (fragoffset:>9; sameip; sid:8;)
    pass ip any any -> any any (ttl:>1; sid:9;)
"""


def _read(overlap: Overlap, room: int) -> tuple:
    policy, _ = read_policy_text(POLICY, "fuzz.yaml", lambda _: "")
    assert policy is not None
    tracking = replace(policy.tracking, overlap=overlap, connections=room, datagrams=room)
    policy = replace(policy, tracking=tracking)
    return policy, compile_policy(policy)


POLICIES = {
    flags: _read(Overlap.LAST if flags & LAST_WINS else Overlap.DISCARD, 2 if flags & SMALL else 64)
    for flags in (0, LAST_WINS, SMALL, LAST_WINS | SMALL)
}
MACHINE = InterpretedMachine()


@dataclass
class Batch:
    """Frames as the engine reads them."""

    buffer: NDArray[np.uint8]
    frames: NDArray[np.void]
    interfaces: dict[int, str]


class Input(NamedTuple):
    """What the bytes say."""

    batch: Batch
    flags: int


def frames_of(data: bytes) -> Input:
    """The frames that the bytes describe."""
    found, at, now, flags = [], 0, START, 0
    while at + HEAD.size <= len(data) and len(found) < LONGEST:
        link, flag, step, captured, cut = HEAD.unpack_from(data, at)
        at += HEAD.size
        flags = flags or flag
        captured = min(captured, len(data) - at)
        now += step * STEP
        found.append((at, now, captured, captured + cut, link % LINKS, 0, 0, 0))
        at += captured
    buffer = np.frombuffer(data or b"\0", np.uint8)
    return Input(Batch(buffer, np.array(found, FRAME), {}), flags)


def one_input(data: bytes) -> None:
    """Run the frames through the engine."""
    batch, flags = frames_of(data)
    policy, compiled = POLICIES[flags & (LAST_WINS | SMALL)]
    engine = Engine(policy, compiled, MACHINE, Settings(checksums=bool(flags & CHECKSUMS)))
    engine.feed(batch)
    first = engine.take()
    engine.finish()
    decisions = np.concatenate([first.decisions, engine.take().decisions])
    assert decisions["packet"].tolist() == list(range(1, len(batch.frames) + 1))
    assert set(decisions["verdict"].tolist()) <= {int(each) for each in Verdict}
    assert set(decisions["reason"].tolist()) <= {int(each) for each in Reason}
    assert int(engine.counters.outcomes[..., 0].sum()) == len(batch.frames)
    assert engine.counters.outcomes[..., 1].sum() == batch.frames["wire_length"].sum()


def main() -> None:
    """Run until stopped."""
    try:
        import atheris  # noqa: PLC0415 - not needed by anything else
    except ImportError:
        print("atheris is not installed: nothing was fuzzed (pip install atheris)")
        return
    atheris.instrument_all()
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
