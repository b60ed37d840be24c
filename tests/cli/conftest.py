"""The packet path is compiled before the first replay, so that no test meets the announcement by chance."""

from __future__ import annotations

import pytest

from twinwall.capture.framer import native_framer
from twinwall.engine.machine import NativeMachine


@pytest.fixture(scope="session", autouse=True)
def _compiled() -> None:
    native_framer()
    NativeMachine()
