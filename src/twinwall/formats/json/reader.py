"""A strict reader of JSON (RFC 8259) that keeps positions: text → `Value`.

The standard library's reader forgets where a value stood, accepts NaN, and silently keeps the last of two members of one
name.  This one diagnoses all of that.  A syntax error ends the reading of its file, as what follows has no sure meaning;
duplicate members are all reported, and the first of them counts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from twinwall.formats.json.value import Content, Document, Value
from twinwall.policy.diagnostic import Diagnostic, Severity, Span

MAX_DEPTH = 64  # the deepest export has about 12 levels
MAX_DIGITS = 300  # no number of the schema has more than 10; a bound keeps conversion linear

SPACE = re.compile(r"[ \t\n\r]*")
NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
PLAIN = re.compile(r'[^"\\\x00-\x1f]*')
UNICODE = re.compile(r"[0-9a-fA-F]{4}")
LITERALS: tuple[tuple[str, Content], ...] = (("true", True), ("false", False), ("null", None))
ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


HINTS = {
    "json-syntax": "save the command's JSON output as it is (`--output json`), and do not edit it by hand",
    "json-depth": "this is not the output of a describe command",
    "json-duplicate-member": "remove one of the two; no command prints a member twice",
}


class JsonError(Exception):
    """The text is not JSON from `offset` on."""

    def __init__(self, code: str, offset: int, message: str) -> None:
        self.code = code
        self.offset = offset
        super().__init__(message)


def read_json(name: str, text: str) -> tuple[Value | None, tuple[Diagnostic, ...]]:
    """Read one document.  The value is None if the text is not JSON; a byte order mark in front is passed over."""
    document = Document(name, text.removeprefix("\ufeff"))
    scanner = _Scanner(document)
    try:
        value = scanner.document_value()
    except JsonError as error:
        found = _diagnostic(error.code, document.span(error.offset), str(error))
        return None, (*scanner.diagnostics, found)
    return value, tuple(scanner.diagnostics)


def _diagnostic(code: str, span: Span, message: str) -> Diagnostic:
    return Diagnostic(Severity.ERROR, code, message, span, HINTS[code])


@dataclass
class _Scanner:
    """Reads one document from left to right; every method takes an offset and returns the value that starts there."""

    document: Document
    diagnostics: list[Diagnostic] = field(default_factory=list)

    def document_value(self) -> Value:
        text = self.document.text
        start = self._skip(0)
        if start == len(text):
            raise JsonError("json-syntax", 0, "the file is empty")
        value = self._value(start, 1)
        rest = self._skip(value.end)
        if rest != len(text):
            raise JsonError("json-syntax", rest, "something follows the JSON value")
        return value

    def _skip(self, offset: int) -> int:
        match = SPACE.match(self.document.text, offset)
        return match.end() if match else offset

    def _value(self, offset: int, depth: int) -> Value:
        if depth > MAX_DEPTH:
            raise JsonError("json-depth", offset, f"values are nested deeper than {MAX_DEPTH} levels")
        text = self.document.text
        first = text[offset : offset + 1]
        if first == "{":
            return self._object(offset, depth)
        if first == "[":
            return self._array(offset, depth)
        if first == '"':
            return self._string(offset)
        for word, content in LITERALS:
            if text.startswith(word, offset):
                return Value(self.document, offset, offset + len(word), content)
        return self._number(offset)

    def _object(self, offset: int, depth: int) -> Value:
        members: dict[str, Value] = {}
        cursor = self._skip(offset + 1)
        while not self._closes(cursor, "}"):
            if members:
                cursor = self._skip(self._expect(cursor, ",", "a comma or a closing brace"))
            name = self._member_name(cursor)
            cursor = self._skip(self._expect(self._skip(name.end), ":", "a colon"))
            value = self._value(cursor, depth + 1)
            self._add(members, name, value)
            cursor = self._skip(value.end)
        return Value(self.document, offset, cursor + 1, members)

    def _member_name(self, cursor: int) -> Value:
        if not self._closes(cursor, '"'):
            raise JsonError("json-syntax", cursor, f"a member name in quotes is expected here, not {self._here(cursor)}")
        return self._string(cursor)

    def _add(self, members: dict[str, Value], name: Value, value: Value) -> None:
        key = str(name.content)
        if key not in members:
            members[key] = value
            return
        first: Span = members[key].span
        message = f'the member "{key}" stands twice in one object; the first is on line {first.line}'
        self.diagnostics.append(_diagnostic("json-duplicate-member", name.span, message))

    def _array(self, offset: int, depth: int) -> Value:
        items: list[Value] = []
        cursor = self._skip(offset + 1)
        while not self._closes(cursor, "]"):
            if items:
                cursor = self._skip(self._expect(cursor, ",", "a comma or a closing bracket"))
            items.append(self._value(cursor, depth + 1))
            cursor = self._skip(items[-1].end)
        return Value(self.document, offset, cursor + 1, items)

    def _closes(self, cursor: int, character: str) -> bool:
        return self.document.text.startswith(character, cursor)

    def _expect(self, cursor: int, character: str, words: str) -> int:
        if not self._closes(cursor, character):
            raise JsonError("json-syntax", cursor, f"{words} is expected here, not {self._here(cursor)}")
        return cursor + 1

    def _here(self, cursor: int) -> str:
        return repr(self.document.text[cursor]) if cursor < len(self.document.text) else "the end of the file"

    def _number(self, offset: int) -> Value:
        match = NUMBER.match(self.document.text, offset)
        if match is None:
            raise JsonError("json-syntax", offset, f"a JSON value is expected here, not {self._here(offset)}")
        if match.end() - offset > MAX_DIGITS:
            raise JsonError("json-syntax", offset, f"a number of more than {MAX_DIGITS} characters")
        whole = match[1] is None and match[2] is None
        return Value(self.document, offset, match.end(), int(match[0]) if whole else float(match[0]))

    def _string(self, offset: int) -> Value:
        text = self.document.text
        pieces: list[str] = []
        cursor = offset + 1
        while True:
            plain = PLAIN.match(text, cursor)
            end = plain.end() if plain else cursor
            pieces.append(text[cursor:end])
            if end >= len(text):
                raise JsonError("json-syntax", offset, "a string that does not end")
            if text[end] == '"':
                return Value(self.document, offset, end + 1, "".join(pieces))
            if text[end] != "\\":
                raise JsonError("json-syntax", end, f"the control character {text[end]!r} inside a string must be escaped")
            piece, cursor = self._escape(end)
            pieces.append(piece)

    def _escape(self, offset: int) -> tuple[str, int]:
        """What the escape at `offset` stands for, and where it ends."""
        kind = self.document.text[offset + 1 : offset + 2]
        if kind in ESCAPES:
            return ESCAPES[kind], offset + 2
        if kind != "u":
            raise JsonError("json-syntax", offset, "JSON has no such escape")
        unit = self._unit(offset)
        if not 0xD800 <= unit <= 0xDFFF:
            return chr(unit), offset + 6
        low = self._unit(offset + 6) if self._closes(offset + 6, "\\u") else 0
        if unit >= 0xDC00 or not 0xDC00 <= low <= 0xDFFF:
            raise JsonError("json-syntax", offset, "half of a surrogate pair, which is no character")
        return chr(0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00)), offset + 12

    def _unit(self, offset: int) -> int:
        match = UNICODE.match(self.document.text, offset + 2)
        if match is None:
            raise JsonError("json-syntax", offset, "four hexadecimal digits must follow \\u")
        return int(match[0], 16)
