"""JSON values that remember where they stand, so that a diagnostic can point at them.

A `Value` is a JSON value of a `Document`: `content` is what it says (`dict`, `list`, `str`, `int`, `float`, `bool` or
`None`), `start` and `end` bound it in the document's text.  `Value.span` is its place; `Value.inner_span` is the place of
a character inside a string, through the string's escapes.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property

from twinwall.policy.diagnostic import Span

Content = dict[str, "Value"] | list["Value"] | str | int | float | bool | None

ESCAPE = re.compile(r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[0-9a-fA-F]{4}|u[0-9a-fA-F]{4}|.)")


@dataclass(frozen=True)
class Document:
    """A file's name and text, and where its lines begin."""

    name: str
    text: str

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0, *(match.end() for match in re.finditer("\n", self.text))]

    def span(self, offset: int, length: int = 1) -> Span:
        """The place of the character at `offset`."""
        line = bisect_right(self._line_starts, offset)
        return Span(self.name, line, offset - self._line_starts[line - 1] + 1, max(1, length))


@dataclass(frozen=True, eq=False)
class Value:
    """One JSON value of a document, `document.text[start:end]`."""

    document: Document = field(repr=False)
    start: int
    end: int
    content: Content

    @property
    def span(self) -> Span:
        """The value's place; the length of a value of several lines is cut at the end of its first line."""
        newline = self.document.text.find("\n", self.start, self.end)
        return self.document.span(self.start, (newline if newline >= 0 else self.end) - self.start)

    @cached_property
    def _jumps(self) -> tuple[list[int], list[int]]:
        """Decoded index and source offset just after each escape of a string."""
        decoded, source = [0], [self.start + 1]
        for match in ESCAPE.finditer(self.document.text, self.start + 1, self.end - 1):
            decoded.append(decoded[-1] + match.start() - source[-1] + 1)
            source.append(match.end())
        return decoded, source

    def inner_offset(self, index: int) -> int:
        """Where character `index` of this string's content stands in the document's text."""
        decoded, source = self._jumps
        escape = bisect_right(decoded, index) - 1
        offset = source[escape] + index - decoded[escape]
        return min(offset, self.end - 1)

    def inner_span(self, index: int, length: int = 1) -> Span:
        """The place of `length` characters of this string's content from `index`."""
        start = self.inner_offset(index)
        return self.document.span(start, self.inner_offset(index + length) - start)

    @property
    def kind(self) -> str:
        """What JSON calls this value, with an article, for messages."""
        match self.content:
            case dict():
                return "an object"
            case list():
                return "an array"
            case str():
                return "a string"
            case bool():
                return "a boolean"
            case None:
                return "null"
        return "a number"
