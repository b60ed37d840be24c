"""Wait until every packet that is on its way through a hook at this moment has left it.

The kernel judges packets inside RCU read sections; membarrier(2), asked for its global form, returns after all that had begun.
"""

from __future__ import annotations

import ctypes
import platform

NUMBERS = {  # of the system call; the C library has no name for it
    "x86_64": 324, "i686": 375, "aarch64": 283, "riscv64": 283, "loongarch64": 283, "armv7l": 389, "ppc64le": 365, "s390x": 356,
}  # fmt: skip
GLOBAL = 1  # MEMBARRIER_CMD_GLOBAL


def wait_for_packets() -> bool:
    """Wait; False where the kernel cannot say (no such call, or processors in `nohz_full`)."""
    number = NUMBERS.get(platform.machine())
    if number is None:
        return False
    return bool(ctypes.CDLL(None, use_errno=True).syscall(number, GLOBAL, 0, 0) == 0)
