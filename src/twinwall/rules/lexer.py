"""From a text to logical lines, from a line to its header fields and its options."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from twinwall.policy.codes import Code
from twinwall.rules.located import Break, Located, Mistake

LONGEST = 65_536
WORD = r"(!*[^][\s()!][^][\s()]*|!?\[[^][\s()]*\])"  # without brackets, or a list that holds neither blanks nor lists
ORDINARY = re.compile(rf"([A-Za-z-]+) +([A-Za-z0-9_-]+) +{WORD} +{WORD} +(->|<>) +{WORD} +{WORD} +\(")
OPTION = re.compile(r"\s*([^:;\s]+)\s*(?::((?:[^;\\]|\\.)*))?;", re.DOTALL)
FIELDS = (
    "an action",
    "a protocol",
    "source addresses",
    "source ports",
    "a direction",
    "destination addresses",
    "destination ports",
)
SHAPE = "a rule is: action protocol source port -> destination port (options)"


class Field(NamedTuple):
    """One word of a rule's header and where it stands in the line."""

    text: str
    start: int

    @property
    def end(self) -> int:
        return self.start + len(self.text)


class Header(NamedTuple):
    """The seven words of a rule's header, where each begins (asked where one is wrong), and where the options begin."""

    words: tuple[str, ...]
    start: Callable[[int], int]
    options: int

    def field(self, number: int) -> Field:
        """A word, counted from 0, with its place."""
        return Field(self.words[number], self.start(number))


def logical_lines(text: str, file: str, line: int = 1, column: int = 1) -> Iterator[Located]:
    """The rules of a text: comments and blank lines left out, lines that end in a backslash joined with the next."""
    return joined_lines(enumerate(text.splitlines(), line), file, column)


def listed_lines(text: str, file: str) -> list[Located]:
    """The elements of a list that stands in a file of its own, one a line; `#` begins a comment anywhere."""
    found = []
    for number, raw in enumerate(text.splitlines(), 1):
        bare = raw.partition("#")[0].strip()
        if bare:
            found.append(Located(bare, file, number, raw.index(bare) + 1))
    return found


def joined_lines(lines: Iterator[tuple[int, str]] | enumerate[str], file: str, column: int = 1) -> Iterator[Located]:
    """The same for lines that come with their numbers; `column` is that of each line's first character."""
    parts: list[str] = []
    breaks: list[Break] = []
    length = 0
    for number, raw in lines:
        bare = raw.strip()
        if not parts and (not bare or bare[0] == "#"):
            continue
        start = column + len(raw) - len(raw.lstrip())
        continued = bare.endswith("\\") and not bare.endswith("\\\\")
        if not parts and not continued:
            yield Located(bare, file, number, start)
            continue
        part = bare[:-1] + " " if continued else bare
        breaks.append(Break(length, number, start))
        parts.append(part)
        length += len(part)
        if not continued:
            yield _joined(parts, breaks, file)
            parts, breaks, length = [], [], 0
    if parts:
        yield _joined(parts, breaks, file)


def _joined(parts: list[str], breaks: list[Break], file: str) -> Located:
    text = "".join(parts)
    return Located(text.rstrip(), file, breaks[0].line, breaks[0].column, tuple(breaks[1:]))


def read_header(text: str) -> Header:
    """The header of a rule.  Raises `Mistake`."""
    match = ORDINARY.match(text)
    if match is not None:
        return Header(match.groups(), lambda number: match.start(number + 1), match.end())
    fields, options = _fields_slowly(text)
    return Header(tuple(field.text for field in fields), lambda number: fields[number].start, options)


def _fields_slowly(text: str) -> tuple[list[Field], int]:
    fields: list[Field] = []
    start, depth = -1, 0
    for at, character in enumerate(text):
        if character == "(" and depth == 0:
            if start >= 0:
                fields.append(Field(text[start:at], start))
            _refuse_count(text, fields, at)
            return fields, at + 1
        if character.isspace() and depth == 0:
            if start >= 0 and text[start:at].strip("!"):
                fields.append(Field(text[start:at], start))
                start = -1
            continue
        start = at if start < 0 else start
        depth += (character == "[") - (character == "]" and depth > 0)
        if depth and character == "(":
            raise Mistake(Code.RULE_SYNTAX, "a list in the header is not closed", start, at, "a `]` is missing")
    if depth:
        raise Mistake(Code.RULE_SYNTAX, "a list in the header is not closed", start, len(text), "a `]` is missing")
    if start >= 0:
        fields.append(Field(text[start:], start))
    _refuse_count(text, fields, len(text))
    raise Mistake(Code.RULE_SYNTAX, "the options are missing", len(text) - 1, len(text), "end the rule with (sid:1;)")


def _refuse_count(text: str, fields: list[Field], at: int) -> None:
    if len(fields) < len(FIELDS):
        raise Mistake(Code.RULE_SYNTAX, f"expected {FIELDS[len(fields)]} here", min(at, len(text) - 1), at + 1, SHAPE)
    if len(fields) > len(FIELDS):
        extra = fields[len(FIELDS)]
        raise Mistake(Code.RULE_SYNTAX, f"{extra.text!r} is more than a header has", extra.start, extra.end, SHAPE)


def options(text: str, start: int) -> Iterator[tuple[str, int, str | None, int]]:
    """The options from `start` on: keyword, its place, value or None, the value's place.  Raises `Mistake`."""
    close = len(text) - 1
    if text[close] != ")":
        close = text.rfind(")")
        if close < start:
            raise Mistake(Code.RULE_SYNTAX, "the `)` at the end of the options is missing", len(text) - 1, len(text))
        hint = "a comment stands on a line of its own" if text[close + 1 :].lstrip().startswith("#") else ""
        raise Mistake(Code.RULE_SYNTAX, "there is something behind the rule's last `)`", close + 1, len(text), hint)
    at = start
    while at < close:
        match = OPTION.match(text, at, close)
        if match is None:
            if not text[at:close].strip():
                return
            raise _broken_option(text, at, close)
        value = match.group(2)
        if value is not None and value.count('"') == 1 and value.lstrip()[0] == '"':
            quote = match.start(2) + value.index('"')
            hint = "inside quotes, write \\; for a semicolon"
            raise Mistake(Code.RULE_SYNTAX, "a semicolon cuts this text in quotes", quote, match.end(), hint)
        yield match.group(1), match.start(1), value, match.start(2) if value is not None else match.end(1)
        at = match.end()


def _broken_option(text: str, at: int, close: int) -> Mistake:
    rest = text[at:close]
    start = at + len(rest) - len(rest.lstrip())
    if text[start] in ":;":
        return Mistake(Code.RULE_SYNTAX, f"a keyword is missing before {text[start]!r}", start, start + 1)
    return Mistake(
        Code.RULE_SYNTAX, "the `;` behind this option is missing", start, close, "every option ends with a semicolon"
    )
