"""Text that remembers where it stands in the user's file, also across continuation lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from twinwall.policy.codes import Code
from twinwall.policy.diagnostic import Diagnostic, Severity, Span


class Break(NamedTuple):
    """From `offset` of the text on, characters stand on `line`, the first of them in `column`."""

    offset: int
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Located:
    """A piece of text and the place of its first character; `breaks` tell where it goes on elsewhere."""

    text: str
    file: str
    line: int = 1
    column: int = 1
    breaks: tuple[Break, ...] = ()

    def span(self, start: int, end: int) -> Span:
        """The place of `text[start:end]`: where it starts, and its length up to the end of that line's part."""
        at = Break(0, self.line, self.column)
        length = max(end - start, 1)
        for each in self.breaks:
            if each.offset > start:
                length = min(length, each.offset - start)
                break
            at = each
        return Span(self.file, at.line, at.column + start - at.offset, length)


class Mistake(Exception):  # noqa: N818 - it is the user's, and never leaves this package
    """What is wrong with `text[start:end]` of the text under the reader; the reader's caller knows where that text stands."""

    def __init__(self, code: Code, message: str, start: int, end: int, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.start = start
        self.end = end
        self.hint = hint

    def moved(self, distance: int) -> Mistake:
        """The same mistake, counted from `distance` characters earlier."""
        self.start += distance
        self.end += distance
        return self

    def at(self, text: Located) -> Diagnostic:
        """The mistake as a diagnostic of the file that `text` comes from."""
        return Diagnostic(Severity.ERROR, self.code, self.message, text.span(self.start, self.end), self.hint)


class AlreadyReportedError(Exception):
    """The text uses something whose own mistake has been reported at its own place."""
