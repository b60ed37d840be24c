"""Readers of single values in a policy file: each takes a node and gives a value, or reports what was expected."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum
from typing import TypeVar

from twinwall.policy.codes import Code
from twinwall.policy.diagnostic import Diagnostic, Severity, Span
from twinwall.rules.document import Mapping, Node, Scalar, Sequence
from twinwall.rules.located import Located
from twinwall.rules.schema import names_of
from twinwall.rules.suggest import did_you_mean

E = TypeVar("E", bound=StrEnum)

DURATION = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?) ?(ms|s|m|h|d)?", re.ASCII)
UNITS = {"ms": 0.001, None: 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
LONGEST_TIME = 2**31 - 1
NUMBER = re.compile(r"[0-9]{1,12}", re.ASCII)
Refused = dict[str, tuple[str, str]]
NOTHING_REFUSED: Refused = {}
BOOLEANS = {"true": True, "false": False}


class Values:
    """Collects the diagnostics of one file while its values are read."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.diagnostics: list[Diagnostic] = []

    def report(self, code: Code, message: str, span: Span, hint: str = "") -> None:
        """Note one error."""
        self.diagnostics.append(Diagnostic(Severity.ERROR, code, message, span, hint))

    def section(self, node: Node, name: str, refused: Refused = NOTHING_REFUSED) -> dict[str, Node]:
        """The entries of a mapping whose keys the schema knows; unknown and repeated keys are reported and left out.

        `refused`: keys that stand for what is not built in, each with a message and a hint of its own.
        """
        if isinstance(node, Scalar) and node.null:
            return {}
        known = names_of(name)
        entries: dict[str, Node] = {}
        for key, value in self.entries(node, f"`{name}`" if name else "the policy"):
            word = key.text.text
            if word in refused:
                self.report(Code.NOT_BUILT_IN, refused[word][0], key.span, refused[word][1])
                continue
            if word not in known:
                where = f" of `{name}`" if name else ""
                hint = did_you_mean(word, known) or f"the keys are {', '.join(known)}"
                self.report(Code.UNKNOWN_KEY, f"{word!r} is not a key{where}", key.span, hint)
                continue
            entries[word] = value
        return entries

    def entries(self, node: Node, what: str) -> list[tuple[Scalar, Node]]:
        """The entries of a mapping, each key once."""
        if not isinstance(node, Mapping):
            self.report(Code.WRONG_SHAPE, f"{what} is a mapping of keys to values", node.span, "write `key: value`, one a line")
            return []
        seen: dict[str, Scalar] = {}
        for key, _ in node.entries:
            first = seen.setdefault(key.text.text, key)
            if first is not key:
                message = f"the key {key.text.text!r} stands already in line {first.span.line}"
                self.report(Code.DUPLICATE_KEY, message, key.span, "join the two")
        return [(key, value) for key, value in node.entries if seen[key.text.text] is key]

    def choice(self, node: Node, kind: type[E], allowed: Iterable[E] | None = None) -> E | None:
        """One word of an enumeration."""
        words = {each.value: each for each in (kind if allowed is None else allowed)}
        scalar = self.scalar(node, f"one of {', '.join(words)}")
        if scalar is None:
            return None
        found = words.get(scalar.text.text)
        if found is None:
            hint = did_you_mean(scalar.text.text.removeprefix("aws:"), words)
            self.report(Code.BAD_CHOICE, f"{scalar.text.text!r} is not one of {', '.join(words)}", scalar.span, hint)
        return found

    def number(self, node: Node, low: int, high: int) -> int | None:
        """A whole number."""
        scalar = self.scalar(node, "a number")
        if scalar is None:
            return None
        text = scalar.text.text.replace("_", "")
        if not NUMBER.fullmatch(text) or not low <= int(text) <= high:
            self.report(Code.BAD_NUMBER, f"{scalar.text.text!r} is not a number from {low} to {high}", scalar.span)
            return None
        return int(text)

    def boolean(self, node: Node) -> bool | None:
        """`true` or `false`."""
        scalar = self.scalar(node, "true or false")
        if scalar is None:
            return None
        found = BOOLEANS.get(scalar.text.text.lower())
        if found is None:
            self.report(Code.BAD_CHOICE, f"{scalar.text.text!r} is neither true nor false", scalar.span)
        return found

    def duration(self, node: Node) -> float | None:
        """A time in seconds."""
        scalar = self.scalar(node, "a time")
        if scalar is None:
            return None
        match = DURATION.fullmatch(scalar.text.text.strip())
        seconds = float(match.group(1)) * UNITS[match.group(2)] if match else 0.0
        if not 0 < seconds <= LONGEST_TIME:
            hint = "write 350s, 5m, 2h, 1d or a number of seconds, above zero"
            self.report(Code.BAD_DURATION, f"{scalar.text.text!r} is not a time", scalar.span, hint)
            return None
        return seconds

    def scalar(self, node: Node, what: str) -> Scalar | None:
        """A single value that is not empty."""
        if not isinstance(node, Scalar):
            self.report(Code.WRONG_SHAPE, f"expected {what} here, not a {type(node).__name__.lower()}", node.span)
            return None
        if node.null or (not node.text.text and node.lines is None):
            self.report(Code.WRONG_SHAPE, f"expected {what}, and there is nothing", node.span)
            return None
        return node

    def texts(self, node: Node, what: str) -> list[Located]:
        """One text, or a list of texts."""
        if isinstance(node, Scalar) and node.null:
            return []
        items = node.items if isinstance(node, Sequence) else (node,)
        scalars = [self.scalar(item, what) for item in items]
        return [scalar.text for scalar in scalars if scalar is not None]
