"""The library that the `nft` program is made of, for transactions that the program cannot send.

A transaction is one netlink message.  The program makes room for it in its socket with SO_SNDBUFFORCE, which only the machine's
own root may use: in a user namespace, and so in rootless containers, it fails for all but small rulesets.  Everybody may use
SO_SNDBUF, up to `net.core.wmem_max`; the library's socket is given that before the library sends.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import stat
from pathlib import Path

LIBRARY = "libnftables.so.1"
LARGEST = Path("/proc/sys/net/core/wmem_max")
MUCH = 1 << 30  # where the bound cannot be read, as in a network namespace of old kernels: the kernel bounds it
AS_DEFAULT = 0


def run(script: str, *, dry: bool) -> str:
    """Run `script` as one transaction (`dry`: only look at it); what the library complains about, empty if nothing.

    Raises `OSError` where there is no such library.
    """
    library = ctypes.CDLL(LIBRARY)
    library.nft_ctx_new.restype = ctypes.c_void_p
    library.nft_ctx_get_error_buffer.restype = ctypes.c_char_p
    before = _descriptors()
    context = ctypes.c_void_p(library.nft_ctx_new(AS_DEFAULT))
    try:
        for descriptor in _descriptors() - before:
            _make_room(descriptor)
        library.nft_ctx_set_dry_run(context, dry)
        library.nft_ctx_buffer_error(context)
        library.nft_ctx_buffer_output(context)
        with os.fdopen(os.memfd_create("ruleset"), "wb") as file:  # from a file, the complaint says in which line
            file.write(script.encode())
            file.flush()
            if library.nft_run_cmd_from_filename(context, f"/proc/self/fd/{file.fileno()}".encode()) == 0:
                return ""
        message: bytes = library.nft_ctx_get_error_buffer(context)
        return message.decode(errors="replace").strip() or "refused without a reason"
    finally:
        library.nft_ctx_free(context)


def _descriptors() -> set[int]:
    """The open ones.  The listing's own is listed as well, and closed by now."""
    found = set()
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            os.fstat(int(name))
            found.add(int(name))
    return found


def _make_room(descriptor: int) -> None:
    """Let a socket send as much at once as everybody may."""
    if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
        return
    with socket.socket(fileno=os.dup(descriptor)) as copy:
        copy.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, int(LARGEST.read_text()) if LARGEST.exists() else MUCH)
