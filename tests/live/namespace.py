"""Network namespaces of a test's own; where they are not to be had, the test is skipped with the reason."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from tests.oracle.kernel import Namespace, why_unavailable


@contextlib.contextmanager
def namespace() -> Iterator[Namespace]:
    """A namespace with its loopback up; the test's thread stays outside."""
    if why_unavailable():
        pytest.skip(why_unavailable())
    made = Namespace()
    try:
        made.run("ip", "link", "set", "lo", "up")
        yield made
    finally:
        made.close()


def in_namespace() -> Iterator[Namespace]:
    """Body of a fixture: enter a new namespace, and leave it for good afterwards."""
    if why_unavailable():
        pytest.skip(why_unavailable())
    namespace = Namespace()
    try:
        with namespace.entered():
            yield namespace
    finally:
        namespace.close()
