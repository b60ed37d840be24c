"""The library that the `nft` program is made of, for what the program cannot do, or does slowly.

A transaction is one netlink message.  The program makes room for it in its socket with SO_SNDBUFFORCE, which only the machine's
own root may use: in a user namespace, and so in rootless containers, it fails for all but small rulesets.  Everybody may use
SO_SNDBUF, up to `net.core.wmem_max`; the library's socket is given that before the library sends.

And a listing: the program flushes its output behind every word, 144,000 times for ten thousand rules; the library gathers it.
"""

from __future__ import annotations

import ctypes
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

LIBRARY = "libnftables.so.1"
LARGEST = Path("/proc/sys/net/core/wmem_max")
MUCH = 1 << 30  # where the bound cannot be read, as in a network namespace of old kernels: the kernel bounds it
AS_DEFAULT = 0
STATELESS = 1 << 2  # NFT_CTX_OUTPUT_STATELESS: without counters


def run(script: str, *, dry: bool) -> str:
    """Run `script` as one transaction (`dry`: only look at it); what the library complains about, empty if nothing.

    Raises `OSError` where there is no such library.
    """
    before = _descriptors()
    with _context() as (library, context):
        for descriptor in _descriptors() - before:
            _make_room(descriptor)
        library.nft_ctx_set_dry_run(context, dry)
        with os.fdopen(os.memfd_create("ruleset"), "wb") as file:  # from a file, the complaint says in which line
            file.write(script.encode())
            file.flush()
            if library.nft_run_cmd_from_filename(context, f"/proc/self/fd/{file.fileno()}".encode()) == 0:
                return ""
        message: bytes = library.nft_ctx_get_error_buffer(context)
        return message.decode(errors="replace").strip() or "refused without a reason"


def still(command: str) -> str | None:
    """What `nft --stateless COMMAND` prints; None where it fails.  Raises `OSError` where there is no such library."""
    with _context() as (library, context):
        library.nft_ctx_output_set_flags(context, STATELESS)
        if library.nft_run_cmd_from_buffer(context, command.encode()) != 0:
            return None
        said: bytes = library.nft_ctx_get_output_buffer(context)
        return said.decode()


@contextmanager
def _context() -> Iterator[tuple[ctypes.CDLL, ctypes.c_void_p]]:
    """The library, and a context that gathers what it says."""
    library = ctypes.CDLL(LIBRARY)
    library.nft_ctx_new.restype = ctypes.c_void_p
    library.nft_ctx_get_error_buffer.restype = library.nft_ctx_get_output_buffer.restype = ctypes.c_char_p
    context = ctypes.c_void_p(library.nft_ctx_new(AS_DEFAULT))
    try:
        library.nft_ctx_buffer_error(context)
        library.nft_ctx_buffer_output(context)
        yield library, context
    finally:
        library.nft_ctx_free(context)


def _descriptors() -> set[int]:
    """The open ones.  The listing's own is listed as well, and closed by now."""
    found = set()
    for name in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            os.fstat(int(name))
            found.add(int(name))
    return found


def _make_room(descriptor: int) -> None:
    """Let a socket send as much at once as everybody may."""
    if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
        return
    with socket.socket(fileno=os.dup(descriptor)) as copy:
        copy.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, int(LARGEST.read_text()) if LARGEST.exists() else MUCH)
