"""The bpf system call, and what every object behind it has in common: it lives as long as its file descriptor.

Written against <linux/bpf.h>; no library is needed.  `bpf_maps` and `bpf_programs` are the two kinds of objects.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from types import TracebackType
from typing import Self

from twinwall.live.error import EnforcementError

SYSCALL_NUMBERS = {"x86_64": 321, "aarch64": 280, "riscv64": 280, "ppc64le": 361, "s390x": 351}
MEMBARRIER_NUMBERS = {"x86_64": 324, "aarch64": 283, "riscv64": 283, "ppc64le": 365, "s390x": 356}
MEMBARRIER_GLOBAL = 1
MAP_CREATE, MAP_LOOKUP, MAP_UPDATE, MAP_DELETE, PROG_LOAD, OBJ_PIN, PROG_ATTACH, PROG_DETACH = 0, 1, 2, 3, 5, 6, 8, 9
PROG_TEST_RUN, PROG_FD_BY_ID, MAP_FD_BY_ID, OBJ_INFO, PROG_QUERY, MAP_FREEZE, MAP_LOOKUP_BATCH = 10, 13, 14, 15, 16, 22, 24
PROG_NEXT_ID = 11
NO_BPF = "without the bpf system call there is no XDP stage: `apply` uses nftables for the stateless stage instead"
REMEDIES = {
    errno.EPERM: "run it as root, or with CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN",
    errno.ENOSYS: NO_BPF,
    errno.ENOMEM: "the kernel has no memory for it: make the policy smaller, or raise the limit (`ulimit -l`)",
    errno.ENOENT: "it does not exist, or no longer",
    errno.E2BIG: "the program or map is too large for this kernel",
}
REMEDY = "see the kernel's log (`dmesg`)"
LOG_TAIL = 6  # lines of the verifier's log that an error shows

_libc = ctypes.CDLL(None, use_errno=True)


class BpfError(EnforcementError):
    """The kernel refused; `number` is its errno, `log` what the verifier wrote, if it was asked."""

    def __init__(self, number: int, action: str, log: str = "") -> None:
        tail = "".join(f"\n    {line}" for line in log.strip().splitlines()[-LOG_TAIL:])
        super().__init__(action, os.strerror(number) + tail, REMEDIES.get(number, REMEDY))
        self.number = number
        self.log = log


def bpf(command: int, attributes: bytes | bytearray, action: str) -> int:
    """Make one bpf system call and return its result.  Raises `BpfError`."""
    number = SYSCALL_NUMBERS.get(platform.machine())
    if number is None:
        raise BpfError(errno.ENOSYS, f"{action} on {platform.machine()}")
    block = ctypes.create_string_buffer(bytes(attributes), len(attributes))
    result = int(_libc.syscall(number, command, block, len(attributes)))
    if result < 0:
        raise BpfError(ctypes.get_errno(), action)
    if isinstance(attributes, bytearray):
        attributes[:] = block.raw
    return result


def wait_for_programs() -> None:
    """Return when every program that runs now has ended, and the packets that it held are in the stack.

    membarrier(2) waits for what the kernel calls a grace period; a kernel without it (or with processors that never enter the
    kernel) leaves a moment of some microseconds.
    """
    number = MEMBARRIER_NUMBERS.get(platform.machine())
    if number is not None:
        _libc.syscall(number, MEMBARRIER_GLOBAL, 0, 0)


class Descriptor:
    """A kernel object that lives as long as its file descriptor, or as long as another object holds it."""

    def __init__(self, number: int) -> None:
        self.number = number

    def close(self) -> None:
        """Let the object go."""
        if self.number >= 0:
            os.close(self.number)
            self.number = -1

    def information(self, size: int, *, given: bytes = b"") -> bytes:
        """The first `size` bytes of what the kernel says of the object; `given` is what the structure holds before."""
        block = ctypes.create_string_buffer(given.ljust(size, b"\0"), size)
        bpf(OBJ_INFO, struct.pack("<IIQ", self.number, size, ctypes.addressof(block)), "ask what a BPF object is")
        return block.raw

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
