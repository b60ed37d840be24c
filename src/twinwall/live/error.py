"""What the kernel refused, in words: what was tried, why not, and what to do about it."""

from __future__ import annotations


class EnforcementError(Exception):
    """The kernel said no, or is not what the policy needs."""

    def __init__(self, action: str, cause: str, remedy: str) -> None:
        self.action = action
        self.cause = cause
        self.remedy = remedy
        super().__init__(f"{action}: {cause}\n    hint: {remedy}")
