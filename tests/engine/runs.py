"""Whole runs for tests: frames through an engine, native or interpreted, in batches of any size, and what comes out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from twinwall.compile.policy import compile_policy
from twinwall.engine.engine import Engine
from twinwall.engine.machine import InterpretedMachine, NativeMachine
from twinwall.path.layout import FRAME, LINK_ETHERNET
from twinwall.policy.model import Policy
from twinwall.rules.policy_file import read_policy_text

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND

POLICY = """
twinwall: 1
stateless:
  default: forward
  fragments: forward
  rules: |
    drop tcp any any -> any any (msg:"SYN and FIN"; flags:SF,12; sid:10;)
    pass icmp any any -> any any (itype:13; sid:11;)
    pass udp any any <> any 8080 (sid:12;)
    drop ip 203.0.113.0/24 any -> any 65535 (sid:13;)
stateful:
  order: strict
  default: [drop_established, alert_established]
  midstream: continue
  invalid: continue
  rules: |
    alert tcp any any -> any any (msg:"marks"; flow:to_server; flowbits:set,seen; flowbits:noalert; sid:100;)
    alert udp any any -> any 53 (msg:"query"; sid:101;)
    pass tcp any any -> any [80,443] (flow:to_server; sid:102;)
    reject tcp any any -> any 22 (flags:S; sid:103;)
    drop ip any any -> any any (ttl:1; sid:104;)
    alert icmp any any -> any any (itype:8; sid:105;)
    pass udp any any -> any any (dsize:<40; sid:106;)
    drop tcp any any -> any any (flowbits:isset,seen; window:0; sid:107;)
    pass ip any any -> any any (sid:108;)
"""


def policy_of(text: str = POLICY) -> Policy:
    policy, diagnostics = read_policy_text(text, "policy.yaml", lambda name: "")
    assert policy is not None, [str(each) for each in diagnostics]
    return policy


@dataclass
class Batch:
    """Frames one after the other in a buffer."""

    buffer: np.ndarray
    frames: np.ndarray
    interfaces: dict[int, str]


def batch_of(frames: Sequence[bytes], times: Sequence[int], link: int = LINK_ETHERNET, **columns) -> Batch:
    """`columns`: further fields of FRAME, one value for all or one for each."""
    table = np.zeros(len(frames), FRAME)
    lengths = np.array([len(frame) for frame in frames], np.uint64)
    table["offset"] = np.cumsum(lengths) - lengths
    table["timestamp"] = times
    table["captured_length"] = table["wire_length"] = lengths
    table["link"] = link
    for name, value in columns.items():
        table[name] = value
    return Batch(np.frombuffer(b"".join(frames) or b"\0", np.uint8), table, {})


@dataclass
class Outcome:
    """What a run gave, so that two runs can be compared to the last bit of every field."""

    decisions: np.ndarray
    records: np.ndarray
    alerts: np.ndarray
    flows: np.ndarray
    desk: np.ndarray

    def differences(self, other: Outcome, *, ended: bool = True) -> list[str]:
        """The names of the parts that differ.  `ended`: also when and in which order connections ended."""
        names = ["decisions", "records", "alerts", "desk", *(["flows"] if ended else [])]
        # Field by field: between the fields NumPy copies nothing, and leaves what the memory held.
        return [name for name in names if not np.array_equal(getattr(self, name), getattr(other, name))]


def engine_of(policy: Policy | None = None, *, native: bool = True, **more) -> Engine:
    policy = policy or policy_of()
    machine = NativeMachine() if native else InterpretedMachine()
    return Engine(policy, compile_policy(policy), machine, **more)


def run(engine: Engine, batches: Iterable[Batch]) -> Outcome:
    """Feed, take after every batch, finish."""
    taken = []
    for batch in batches:
        engine.feed(batch)
        taken.append(engine.take())
    engine.finish()
    taken.append(engine.take())
    return Outcome(
        *(np.concatenate([getattr(each, name) for each in taken]) for name in ("decisions", "records", "alerts", "flows")),
        engine.desk.copy(),
    )


def cut(batch: Batch, size: int) -> list[Batch]:
    """The same frames in batches of `size`."""
    return [
        Batch(batch.buffer, batch.frames[start : start + size], batch.interfaces) for start in range(0, len(batch.frames), size)
    ]
