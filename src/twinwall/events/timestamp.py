"""How EVE spells an instant: UTC, microseconds, `2026-01-01T00:00:00.123456+0000`; nanoseconds are cut off, never rounded."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

NANOSECONDS = 1_000_000_000


@lru_cache(maxsize=256)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def eve_time(timestamp: int) -> str:
    """The instant, given in nanoseconds since 1970."""
    seconds, nanoseconds = divmod(timestamp, NANOSECONDS)
    return f"{_second(seconds)}.{nanoseconds // 1000:06d}+0000"


def age_seconds(start: int, end: int) -> int:
    """How old a flow was, as EVE counts it: the difference of the whole seconds of both instants."""
    return end // NANOSECONDS - start // NANOSECONDS
