"""A network namespace of the test's own, with the test's thread in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.oracle.kernel import Namespace, why_unavailable


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
