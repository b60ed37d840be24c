"""Frames that a network interface takes in at full speed, without a sender.

The kernel's test run of an XDP program with live frames hands what the program passes to the interface's receive path, batch by
batch.  The program here writes the same headers into each frame anew (the stack changes them on their way) and, where asked,
a random source port, so that every frame can be another flow.  Source: Documentation/bpf/bpf_prog_run.rst.
"""

from __future__ import annotations

import ctypes
import ipaddress
import struct
import time
from dataclasses import dataclass
from typing import Self

from twinwall.live.bpf import PROG_TEST_RUN, bpf
from twinwall.live.bpf_maps import ProgramArray
from twinwall.live.bpf_programs import XDP, XDP_HAS_FRAGS, Program
from twinwall.targets.elf import ProgramCode

UDP, TCP = 17, 6
SYN = 2
GATEWAY_MAC, SENDER_MAC = bytes.fromhex("020000000001"), bytes.fromhex("020000000009")
SOURCE_PORT_AT = 34
HEADERS = 40  # bytes that the program writes anew
LIVE_FRAMES = 2
BATCH = 64

LOAD_64, STORE_64, STORE_16, LOAD_32 = 0x18, 0x7B, 0x6B, 0x61
MOVE, MOVE_VALUE, ADD_VALUE, JUMP_IF_GREATER, CALL, EXIT = 0xBF, 0xB7, 0x07, 0x2D, 0x85, 0x95
RANDOM, TAIL_CALL = 7, 12  # helpers bpf_get_prandom_u32, bpf_tail_call
MAP_BY_DESCRIPTOR = 1
XDP_PASS = 2


def _checksum(header: bytes) -> int:
    total = sum(struct.unpack(f"!{len(header) // 2}H", header))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def frame(
    source: str, destination: str, protocol: int, source_port: int, port: int, payload: int = 18, flags: int = SYN
) -> bytes:
    """An Ethernet frame to the gateway: UDP without a checksum, or a TCP segment whose checksum nobody looks at."""
    if protocol == UDP:
        transport = struct.pack("!HHHH", source_port, port, 8 + payload, 0) + bytes(payload)
    else:
        transport = struct.pack("!HHIIBBHHH", source_port, port, 1000, 0, 5 << 4, flags, 65535, 0, 0) + bytes(payload)
    addresses = ipaddress.IPv4Address(source).packed + ipaddress.IPv4Address(destination).packed
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(transport), 0, 0, 64, protocol, 0) + addresses
    head = head[:10] + struct.pack("!H", _checksum(head)) + head[12:]
    return GATEWAY_MAC + SENDER_MAC + b"\x08\x00" + head + transport


def _instruction(code: int, destination: int = 0, source: int = 0, offset: int = 0, value: int = 0) -> bytes:
    return struct.pack("<BBhi", code, destination | source << 4, offset, value)


@dataclass(frozen=True)
class Generator:
    """A program that makes frames, and the map through which it hands them on; a context manager."""

    program: Program
    successors: ProgramArray

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.program.close()
        self.successors.close()


def generator(sample: bytes, *, spread: bool, to: Program | None = None) -> Generator:
    """Make frames like `sample`; with `spread`, each from a random source port.

    They go through the program `to`, as an interface's frames go through the program attached to it; without it, to the stack.
    """
    body = b""
    for at in range(0, HEADERS, 8):
        low, high = struct.unpack_from("<ii", sample, at)
        body += _instruction(LOAD_64, 4, value=low) + _instruction(0, value=high) + _instruction(STORE_64, 1, 4, at)
    if spread:
        body += _instruction(STORE_16, 1, 0, SOURCE_PORT_AT)
    successors = ProgramArray.make(1, "bench_next")
    if to is not None:
        successors.put(to)
    code = (
        _instruction(MOVE, 6, 1)
        + _instruction(CALL, value=RANDOM)
        + _instruction(LOAD_32, 1, 6, 0)
        + _instruction(LOAD_32, 2, 6, 4)
        + _instruction(MOVE, 3, 1)
        + _instruction(ADD_VALUE, 3, value=HEADERS + 2)
        + _instruction(JUMP_IF_GREATER, 3, 2, len(body) // 8)
        + body
        + _instruction(MOVE, 1, 6)
        + _instruction(LOAD_64, 2, MAP_BY_DESCRIPTOR, value=successors.number)
        + _instruction(0)
        + _instruction(MOVE_VALUE, 3, value=0)
        + _instruction(CALL, value=TAIL_CALL)  # comes back only where there is no successor
        + _instruction(MOVE_VALUE, 0, value=XDP_PASS)
        + _instruction(EXIT)
    )
    return Generator(Program.load(XDP, ProgramCode(code, ()), {}, flags=XDP_HAS_FRAGS), successors)


def receive(program: Program, sample: bytes, interface: int, count: int) -> float:
    """Let interface number `interface` take in `count` frames through a program; nanoseconds of processor time a frame.

    The frames are made, judged and forwarded inside the system call, so that what else the machine does is not measured.
    """
    data = ctypes.create_string_buffer(sample, len(sample))
    context = ctypes.create_string_buffer(struct.pack("<6I", 0, len(sample), 0, interface, 0, 0))
    attributes = bytearray(struct.pack(
        "<IIIIQQIIIIQQIII4x", program.number, 0, len(sample), 0, ctypes.addressof(data), 0, count, 0, len(context), 0,
        ctypes.addressof(context), 0, LIVE_FRAMES, 0, BATCH,
    ))  # fmt: skip
    start = time.thread_time_ns()
    bpf(PROG_TEST_RUN, attributes, "run the program with live frames")
    return (time.thread_time_ns() - start) / count
