"""The reader's notebook: what was wrong, and which members were looked at.

Every value is fetched through `Findings`, so that a wrong type is diagnosed once, in one way, and the report of what was
understood is a by-product that cannot drift from the code.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from twinwall.formats.aws.codes import Code
from twinwall.formats.json.value import Value
from twinwall.policy.diagnostic import Diagnostic, Severity, Span

Place = tuple[str, int]


@dataclass
class Findings:
    """Diagnostics in order of discovery, and the places of the values that were looked at or refused."""

    diagnostics: list[Diagnostic] = field(default_factory=list)
    seen: set[Place] = field(default_factory=set)
    refused: set[Place] = field(default_factory=set)

    errors: int = 0  # how many of the diagnostics forbid a policy

    def add(self, code: Code, at: Value | Span, message: str, hint: str = "") -> None:
        """Note a finding about a value, or about a place in one."""
        span = at.span if isinstance(at, Value) else at
        self.take(code.diagnostic(span, message, hint))
        if isinstance(at, Value) and code.severity is Severity.ERROR:
            self.refused.add(place(at))

    def take(self, diagnostic: Diagnostic) -> None:
        """Note a finding that was made elsewhere."""
        self.diagnostics.append(diagnostic)
        self.errors += diagnostic.severity is Severity.ERROR

    def unsupported(self, code: Code, at: Value, message: str) -> None:
        """Note a member that has a meaning at AWS which it does not have here; the report counts it as refused."""
        self.add(code, at, message)
        self.refused.add(place(at))

    def member(self, parent: Value, name: str) -> Value | None:
        """A member of an object; None if it is absent or null."""
        content = parent.content
        value = content.get(name) if isinstance(content, dict) else None
        if value is None:
            return None
        self.seen.add(place(value))
        return None if value.content is None else value

    def typed(self, value: Value, kind: type, name: str) -> bool:
        """Whether a value is of the kind (`dict`, `list`, `str`, `int`, `bool`) its member must have; diagnosed if not."""
        fits = isinstance(value.content, kind) and (kind is bool or not isinstance(value.content, bool))
        if not fits:
            self.add(Code.WRONG_TYPE, value, f"{name} must be {_KINDS[kind]}, not {value.kind}")
        return fits

    def struct(self, parent: Value, name: str) -> Value | None:
        """A member that is an object."""
        value = self.member(parent, name)
        return value if value is not None and self.typed(value, dict, name) else None

    def text(self, parent: Value, name: str) -> str | None:
        """The content of a member that is a string."""
        value = self.member(parent, name)
        return str(value.content) if value is not None and self.typed(value, str, name) else None

    def required(self, parent: Value, name: str) -> Value | None:
        """A member that must be there."""
        value = self.member(parent, name)
        if value is None:
            self.add(Code.MISSING, parent, f"{name} is missing")
        return value

    def integer(self, value: Value | None, name: str, low: int, high: int, code: Code) -> int | None:
        """The content of a whole number between bounds."""
        if value is None or not self.typed(value, int, name):
            return None
        number = value.content
        if isinstance(number, int) and low <= number <= high:
            return number
        self.add(code, value, f"{name} is {str(number)[:20]}; it must lie between {low} and {high}")
        return None

    def items(self, parent: Value, name: str, kind: type) -> Iterator[Value]:
        """The elements of a member that is an array of one kind; those of another kind are diagnosed and left out."""
        value = self.member(parent, name)
        if value is None or not self.typed(value, list, name):
            return
        yield from self.elements(value, name, kind)

    def elements(self, value: Value, name: str, kind: type) -> Iterator[Value]:
        """The elements of an array that are of one kind; those of another kind are diagnosed and left out."""
        for item in value.content if isinstance(value.content, list) else ():
            self.seen.add(place(item))
            if self.typed(item, kind, f"each element of {name}"):
                yield item

    def entries(self, parent: Value, name: str) -> Iterator[tuple[str, Value]]:
        """The members of a member that is a map from names to objects."""
        value = self.struct(parent, name)
        content = value.content if value is not None else None
        for key, entry in content.items() if isinstance(content, dict) else ():
            self.seen.add(place(entry))
            if self.typed(entry, dict, f"{name}.{key}"):
                yield key, entry

    def words(self, parent: Value, name: str, vocabulary: tuple[str, ...]) -> Iterator[tuple[str, Value]]:
        """The elements of an array of names out of a vocabulary."""
        for item in self.items(parent, name, str):
            if self.known(item, name, vocabulary):
                yield str(item.content), item

    def word(self, parent: Value, name: str, vocabulary: tuple[str, ...]) -> str | None:
        """The content of a member that is a name out of a vocabulary."""
        value = self.member(parent, name)
        if value is None or not self.typed(value, str, name) or not self.known(value, name, vocabulary):
            return None
        return str(value.content)

    def known(self, value: Value, name: str, vocabulary: tuple[str, ...]) -> bool:
        """Whether a string is in a vocabulary; diagnosed if not."""
        if value.content in vocabulary:
            return True
        self.add(Code.VOCABULARY, value, f"{name} says {str(value.content)[:60]!r}; it must be one of {', '.join(vocabulary)}")
        return False


_KINDS = {dict: "an object", list: "an array", str: "a string", int: "a whole number", bool: "a boolean"}


def place(value: Value) -> Place:
    """What tells a value from all others of all files."""
    return value.document.name, value.start
