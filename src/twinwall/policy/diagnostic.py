"""A mistake in the user's files: where it stands, what it is, and what to do about it.

Readers collect every `Diagnostic` of every file before they give up; `PolicyError` carries them all.
Codes are stable: `docs/diagnostics.md` lists them, and scripts may rely on them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """An error stops the policy from loading; a warning does not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Span:
    """A place in a file: line and column count from 1; `length` is in characters."""

    file: str
    line: int
    column: int
    length: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding about the user's input."""

    severity: Severity
    code: str
    message: str
    span: Span
    hint: str = ""

    def __str__(self) -> str:
        text = f"{self.span}: {self.severity.value}[{self.code}]: {self.message}"
        return f"{text}\n    hint: {self.hint}" if self.hint else text


class PolicyError(Exception):
    """A policy that does not load, with everything that is wrong about it."""

    def __init__(self, diagnostics: tuple[Diagnostic, ...]) -> None:
        self.diagnostics = diagnostics
        super().__init__("\n".join(str(each) for each in diagnostics))
