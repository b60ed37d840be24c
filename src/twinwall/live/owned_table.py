"""A table that lives no longer than the process that made it, however that ends.

Its flag `owner` binds it to the netlink socket that made it: the kernel removes it when the socket is closed, and lets nobody
else change it.  The nft program ends at once, so the library that it is made of holds the socket here.
"""

from __future__ import annotations

import ctypes
from types import TracebackType
from typing import Self

from twinwall.live.error import EnforcementError
from twinwall.live.nft import refusal
from twinwall.live.nft_library import AS_DEFAULT, LIBRARY


class OwnedTables:
    """Tables of a script in which each says `flags owner`.  A context manager; leaving it removes them."""

    def __init__(self, script: str, action: str) -> None:
        """Run `script`.  Raises `EnforcementError`; `action` begins its sentence."""
        try:
            self._library = ctypes.CDLL(LIBRARY)
        except OSError:
            raise EnforcementError(action, f"there is no {LIBRARY}", "install nftables, whose program needs it too") from None
        self._library.nft_ctx_new.restype = ctypes.c_void_p
        self._library.nft_ctx_get_error_buffer.restype = ctypes.c_char_p
        self._context: ctypes.c_void_p | None = ctypes.c_void_p(self._library.nft_ctx_new(AS_DEFAULT))
        self._library.nft_ctx_buffer_error(self._context)
        self._library.nft_ctx_buffer_output(self._context)
        if self._library.nft_run_cmd_from_buffer(self._context, script.encode()) != 0:
            message: bytes = self._library.nft_ctx_get_error_buffer(self._context)
            self.close()
            raise refusal(action, message.decode(errors="replace"), script)

    def close(self) -> None:
        """Let the tables go; a second time, nothing."""
        if self._context is not None:
            self._library.nft_ctx_free(self._context)
            self._context = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
