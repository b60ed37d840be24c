"""Sequence numbers compared modulo 2**32 (RFC 9293 section 3.4): the answers are the numbers 0 and 1."""

from __future__ import annotations

MASK32 = 0xFFFFFFFF


def before(left: int, right: int) -> int:
    """1 if `left` is older than `right`."""
    return ((left - right) & MASK32) >> 31


def after(left: int, right: int) -> int:
    """1 if `left` is newer than `right`."""
    return ((right - left) & MASK32) >> 31
