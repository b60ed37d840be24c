"""What wakes the guard: interfaces that change, rulesets that change, and time."""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from twinwall.live.links import LinkEvents
from twinwall.live.netlink import NETLINK_NETFILTER, NetlinkSocket

RULESETS = 7  # NFNLGRP_NFTABLES, <linux/netfilter/nfnetlink.h>
PERIOD = 5.0  # seconds: the longest that a program somebody detached goes unnoticed
CALM = 0.2  # seconds without a notice: what comes in a burst is looked at together
SOON = 1.0  # seconds: a notice later than that after the last one is looked at at once, as a flushed ruleset filters nothing
LONGEST_BURST = 2.0


class Notices:
    """A context manager; `wait` returns when there is something to look at."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last = -SOON
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._links = stack.enter_context(LinkEvents())
            self._rulesets = stack.enter_context(NetlinkSocket(NETLINK_NETFILTER))
            self._rulesets.subscribe(RULESETS)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.close()

    def wait(self, period: float = PERIOD) -> bool:
        """Wait for a notice, or for `period` seconds; whether there was one.  After its first, a burst is waited for."""
        if not self._ready(period):
            return False
        now = self._clock()
        calm = CALM if now - self._last < SOON else 0.0
        while self._drain() and self._clock() < now + LONGEST_BURST:
            self._ready(calm)
        self._last = self._clock()
        return True

    def _ready(self, seconds: float) -> bool:
        return bool(select.select([self._links.fileno(), self._rulesets.fileno()], [], [], seconds)[0])

    def _drain(self) -> bool:
        """Read what is there; whether anything was."""
        links, rulesets = self._links.take(), self._rulesets.receive()
        return bool(links.events or links.lost or rulesets.messages or rulesets.lost)
