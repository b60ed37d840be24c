"""A BPF file system, where a map has a name and lives without a process.

Needed for one thing: an array of programs forgets its programs when no process and no name holds it, and a policy's change
must not depend on the life of the process that makes it.
"""

from __future__ import annotations

import ctypes
import os
import struct
from pathlib import Path

from twinwall.live.error import EnforcementError

FOLDER = Path("/sys/fs/bpf")  # where systemd mounts it, and bpftool if nobody has
BPF_FS_MAGIC = 0xCAFE4A11

_libc = ctypes.CDLL(None, use_errno=True)


def pin_folder() -> Path:
    """The BPF file system's folder; it is mounted if it is not.  Raises `EnforcementError`."""
    if _magic(FOLDER) != BPF_FS_MAGIC and _libc.mount(b"bpf", os.fsencode(FOLDER), b"bpf", 0, b"mode=0700") != 0:
        cause = f"there is none at {FOLDER}, and mounting one fails: {os.strerror(ctypes.get_errno())}"
        raise EnforcementError("find a BPF file system", cause, f"mount one: `mount -t bpf bpf {FOLDER}`")
    return FOLDER


def _magic(folder: Path) -> int:
    """The kind of file system at `folder`: `f_type` of statfs(2), the first long."""
    said = ctypes.create_string_buffer(256)
    if _libc.statfs(os.fsencode(folder), said) != 0:
        return 0
    return int(struct.unpack_from("@l", said)[0]) & 0xFFFFFFFF
