"""Network namespaces for tests of the kernel's doors: where they are not to be had, the test is skipped with the reason."""

from __future__ import annotations

import contextlib
import functools
import sys

import pytest

from tests.oracle.kernel import Namespace


@functools.cache
def why_unavailable() -> str:
    """Why there are no namespaces here; empty if there are."""
    if sys.platform != "linux":
        return "network namespaces need Linux"
    from tests.oracle import kernel

    return kernel.why_unavailable()


@contextlib.contextmanager
def namespace():
    """A network namespace with its loopback up; the calling thread stays outside."""
    if why_unavailable():
        pytest.skip(why_unavailable())
    space = Namespace()
    try:
        space.run("ip", "link", "set", "lo", "up")
        yield space
    finally:
        space.close()
