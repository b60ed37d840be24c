"""YAML as a small tree of values that know their place.

The text goes to the YAML reader without the lines of its `rules: |` blocks: a policy is mostly those, the reader is slow, and
the lines are wanted one by one anyway.  What is left must be small.  Anchors, aliases and tags are refused, so a document
cannot be larger than its text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from twinwall.policy.codes import Code
from twinwall.policy.diagnostic import Diagnostic, Severity, Span
from twinwall.rules.lexer import joined_lines
from twinwall.rules.located import Located

LARGEST = 64 << 20  # characters of a whole file
LARGEST_FRAME = 128 << 10  # characters of a file without its rules blocks: some seconds for the YAML reader at worst
DEEPEST_FLOW = 64  # brackets inside each other
BLOCK = re.compile(r"( *)(?:- +)?(rules) *: *\|[+-]? *(?:#.*)?", re.ASCII)
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value as text.  `lines` are the numbered source lines of a literal block; `null`: nothing was written."""

    text: Located
    null: bool = False
    lines: tuple[tuple[int, str], ...] | None = None

    @property
    def span(self) -> Span:
        return self.text.span(0, len(self.text.text.partition("\n")[0]))

    def rules(self) -> Iterator[Located]:
        """The value as a text of rules, one logical line at a time."""
        if self.lines is not None:
            return joined_lines(iter(self.lines), self.text.file)
        numbered = ((self.text.line, line) for line in self.text.text.splitlines())
        return joined_lines(numbered, self.text.file, self.text.column)


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list of values."""

    items: tuple[Node, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys and values as written, duplicates included."""

    entries: tuple[tuple[Scalar, Node], ...]
    span: Span


Node = Scalar | Sequence | Mapping


class DocumentError(Exception):
    """The text is no document at all; carries the diagnostic."""

    def __init__(self, code: Code, message: str, span: Span, hint: str = "") -> None:
        super().__init__(message)
        self.diagnostic = Diagnostic(Severity.ERROR, code, message, span, hint)


def read_document(text: str, file: str) -> Node:
    """Read one YAML document.  Raises `DocumentError`."""
    _refuse_unreadable(text, file)
    frame = _Frame(text, file)
    return _Builder(frame).build(_compose(frame))


def _refuse_unreadable(text: str, file: str) -> None:
    if len(text) > LARGEST:
        message = f"a file of {len(text) >> 20} MiB is no policy"
        raise DocumentError(Code.FILE_TOO_LARGE, message, Span(file, 1, 1), f"at most {LARGEST >> 20} MiB")
    control = CONTROL.search(text)
    if control is not None:
        line = text.count("\n", 0, control.start()) + 1
        column = control.start() - (text.rfind("\n", 0, control.start()) + 1) + 1
        message = f"the character {control.group()!r} does not belong into a text file"
        raise DocumentError(Code.FILE_UNREADABLE, message, Span(file, line, column), "is this the right file?")


# What the reader of YAML raises at some broken texts besides errors of its own: a character beyond Unicode ("\UFFFFFFFF",
# "\U00110000"), a version directive that it does not know.  The rest of the list was never seen; a mistake in a file must
# not become a traceback, and none of these can come from code of ours inside the reader.
OF_THE_READER = (
    ArithmeticError, AssertionError, AttributeError, LookupError, NotImplementedError, TypeError, ValueError,
)  # fmt: skip


class _Frame:
    """The text without its rules blocks, and how its lines were numbered."""

    def __init__(self, text: str, file: str) -> None:
        self.file = file
        self.source = text.splitlines()
        self.numbers: list[int] = []
        self.blocks: dict[int, tuple[tuple[int, str], ...]] = {}
        kept: list[str] = []
        at = 0
        while at < len(self.source):
            line = self.source[at]
            match = BLOCK.fullmatch(line)
            self.numbers.append(at + 1)
            at += 1
            if match is None:
                kept.append(line)
                continue
            kept.append(line[: match.end(2)] + ": ''")
            at = self._take_block(at, match.start(2))
        self.text = "\n".join(kept) + "\n"
        self._refuse_size()

    def _take_block(self, start: int, indent: int) -> int:
        """Keep the lines of the block whose key stands `indent` columns in; returns where it ends."""
        inner = -1
        at = start
        while at < len(self.source):
            line = self.source[at]
            bare = line.lstrip(" ")
            if bare:
                depth = len(line) - len(bare)
                if depth <= indent or depth < inner:
                    break
                inner = depth if inner < 0 else inner
            at += 1
        self.blocks[start] = tuple((number + 1, self.source[number]) for number in range(start, at))
        return at

    def _refuse_size(self) -> None:
        if len(self.text) > LARGEST_FRAME:
            hint = f"at most {LARGEST_FRAME >> 10} KiB; put rules into `rules: |` blocks or into files named under `files`"
            raise DocumentError(Code.FILE_TOO_LARGE, "too much text outside of rules blocks", Span(self.file, 1, 1), hint)
        depth = deepest = 0
        for bracket in re.findall(r"[\[{}\]]", self.text):
            depth = max(depth + (1 if bracket in "[{" else -1), 0)
            deepest = max(deepest, depth)
        if deepest > DEEPEST_FLOW:
            raise DocumentError(Code.TOO_DEEP, f"more than {DEEPEST_FLOW} brackets inside each other", Span(self.file, 1, 1))

    def number(self, line: int) -> int:
        """The source's line number, from 1, of the frame's line, from 0."""
        return self.numbers[line] if line < len(self.numbers) else len(self.source) + 1


def _compose(frame: _Frame):  # type: ignore[no-untyped-def]  # noqa: ANN202 - ruamel's nodes have no types
    from ruamel.yaml import YAML  # noqa: PLC0415 - slow to import
    from ruamel.yaml.error import MarkedYAMLError, YAMLError  # noqa: PLC0415

    try:
        return YAML(typ="safe", pure=True).compose(frame.text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Span(frame.file, frame.number(mark.line), mark.column + 1) if mark else Span(frame.file, 1, 1)
        what = ", ".join(part for part in (error.context, error.problem) if part)
        hint = "indent with spaces" if "\\t" in what else "put a value that contains `: ` or ` #` in quotes"
        raise DocumentError(Code.YAML_SYNTAX, what or "not YAML", place, hint) from None
    except RecursionError:
        raise DocumentError(Code.TOO_DEEP, "nested deeper than any policy", Span(frame.file, 1, 1)) from None
    except (YAMLError, *OF_THE_READER) as error:
        raise DocumentError(Code.YAML_SYNTAX, f"not YAML: {error}".splitlines()[0], Span(frame.file, 1, 1)) from None


class _Builder:
    """From the YAML reader's nodes to ours."""

    def __init__(self, frame: _Frame) -> None:
        self.frame = frame

    def build(self, node) -> Node:  # type: ignore[no-untyped-def]  # noqa: ANN001
        if node is None:
            raise DocumentError(
                Code.WRONG_SHAPE, "the file is empty", Span(self.frame.file, 1, 1), "a policy begins with `twinwall: 1`"
            )
        span = self._span(node)
        if node.anchor is not None:
            raise DocumentError(
                Code.YAML_ALIAS, f"the anchor &{node.anchor} is not allowed here", span, "define a variable instead"
            )
        if node.tag and not node.tag.startswith("tag:yaml.org,2002:"):
            raise DocumentError(Code.YAML_ALIAS, f"the tag {node.tag} is not allowed here", span)
        if node.id == "scalar":
            return self._scalar(node, span)
        if node.id == "sequence":
            return Sequence(tuple(self.build(item) for item in node.value), span)
        return Mapping(tuple((self._key(key), self.build(value)) for key, value in node.value), span)

    def _key(self, node) -> Scalar:  # type: ignore[no-untyped-def]  # noqa: ANN001
        key = self.build(node)
        if not isinstance(key, Scalar):
            raise DocumentError(Code.WRONG_SHAPE, "a key is a single word", key.span)
        return key

    def _span(self, node) -> Span:  # type: ignore[no-untyped-def]  # noqa: ANN001
        start, end = node.start_mark, node.end_mark
        length = end.column - start.column if end.line == start.line else 1
        return Span(self.frame.file, self.frame.number(start.line), start.column + 1, max(length, 1))

    def _scalar(self, node, span: Span) -> Scalar:  # type: ignore[no-untyped-def]  # noqa: ANN001
        block = self.frame.blocks.get(span.line)
        if block is not None and not node.value and node.style == "'":
            return Scalar(Located("", self.frame.file, span.line, span.column), lines=block)
        quoted = node.style in ("'", '"')
        if node.style in ("|", ">"):
            return Scalar(Located(node.value, span.file, span.line + 1), lines=self._block_lines(node))
        return Scalar(Located(node.value, span.file, span.line, span.column + quoted), null=node.tag.endswith(":null"))

    def _block_lines(self, node) -> tuple[tuple[int, str], ...]:  # type: ignore[no-untyped-def]  # noqa: ANN001
        """The lines of a block value that was not taken out: as written if literal, else each with the line it begins on."""
        first, last = self.frame.number(node.start_mark.line), self.frame.number(node.end_mark.line)
        written = [(number + 1, self.frame.source[number]) for number in range(first, min(last - 1, len(self.frame.source)))]
        if node.style == "|":
            return tuple(written)
        lines: list[tuple[int, str]] = []
        at = 0
        for line in node.value.splitlines():
            begin = next((index for index in range(at, len(written)) if line.startswith(written[index][1].strip() or "\n")), at)
            number = written[begin][0] if begin < len(written) else first
            lines.append((number, line))
            at = begin + 1
        return tuple(lines)
