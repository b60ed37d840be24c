"""The list grammar that addresses and ports share: `a`, `!a`, `[a, !b, [c, $D]]`, `$NAME`, `any`.

    expression = element *("," element)
    element    = *"!" ( "[" expression "]" | "$" name | item )

A list means: what its plain elements hold together, without what its excluded elements hold; a list of exclusions only
starts from everything.  Nested lists are not sets of their own: their elements join the outer list, each with the parity
of the `!` in front of it (Suricata's meaning, held against it by a test).  A comma may stand behind the last element.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from twinwall.policy.codes import Code
from twinwall.policy.sets import AddressSet, PortSet
from twinwall.rules.located import Mistake

S = TypeVar("S", AddressSet, PortSet)

DEEPEST = 32  # nested lists; and, on their own, variables inside variables
TOKEN = re.compile(r"[!\[\],]|[^!\[\],\s]+")


@dataclass(frozen=True, slots=True)
class Terms(Generic[S]):
    """What a list holds and what it excludes; None: it says nothing of that kind."""

    included: S | None
    excluded: S | None
    negated: bool = False  # a `!` stands somewhere in the text

    def flipped(self) -> Terms[S]:
        """The same terms behind a `!`."""
        return Terms(self.excluded, self.included, negated=True)


@dataclass(frozen=True, slots=True)
class Grammar(Generic[S]):
    """What differs between addresses and ports: the items, their union, and the words of the messages."""

    item: Callable[[str], S]  # raises Mistake
    union: Callable[[Iterable[S]], S]
    remove: Callable[[S, S], S]
    everything: S
    nothing: S
    code: Code
    noun: str
    example: str


Lookup = Callable[[str], Terms[S]]  # a variable's terms by name; raises Mistake or AlreadyReportedError


def read_terms(text: str, grammar: Grammar[S], lookup: Lookup[S]) -> Terms[S]:
    """The terms of an expression.  Raises `Mistake` with offsets into `text`, or what `lookup` raises."""
    reader: _Reader[S] = _Reader(grammar, lookup)
    for token in TOKEN.finditer(text):
        reader.take(token.group(), token.start())
    return reader.finish(text)


def join_terms(parts: list[Terms[S]], grammar: Grammar[S]) -> Terms[S]:
    """The terms of a list whose elements are `parts`."""
    included = [part.included for part in parts if part.included is not None]
    excluded = [part.excluded for part in parts if part.excluded is not None]
    return Terms(
        grammar.union(included) if included else None,
        grammar.union(excluded) if excluded else None,
        any(part.negated for part in parts),
    )


def combine(terms: Terms[S], grammar: Grammar[S], length: int) -> S:
    """The set that terms mean.  An empty one is a mistake, as it is in Suricata."""
    result = grammar.everything if terms.included is None else terms.included
    if terms.excluded is not None:
        result = grammar.remove(result, terms.excluded)
        if result == grammar.nothing:
            hint = "the exclusions take away everything that the list holds"
            raise Mistake(Code.EMPTY_SET, f"no {grammar.noun} is left", 0, length, hint)
    return result


class _Reader(Generic[S]):
    """One walk over the tokens, with an explicit stack of open lists: where each began, and the parity outside it."""

    def __init__(self, grammar: Grammar[S], lookup: Callable[[str], Terms[S]]) -> None:
        self.grammar: Grammar[S] = grammar
        self.lookup: Callable[[str], Terms[S]] = lookup
        self.parts: list[Terms[S]] = []
        self.open: list[tuple[int, bool]] = []
        self.outside = False  # the parity of the list around
        self.pending = False  # the parity of the `!` just read
        self.seen_mark = False
        self.wants = True  # an element, rather than `,` or `]`
        self.fresh = True  # nothing yet in this list

    def take(self, token: str, at: int) -> None:
        if token == "!":
            self._expect_element(at, token)
            self.pending = not self.pending
            self.seen_mark = True
        elif token == "[":
            self._open(at)
        elif token == "]":
            self._close(at)
        elif token == ",":
            if self.wants:
                self._fail("an element is missing before the comma", at, 1)
            self.wants = True
        else:
            self._element(token, at)

    def finish(self, text: str) -> Terms[S]:
        if self.open:
            self._fail("this list is not closed", self.open[-1][0], 1, "a `]` is missing")
        if self.fresh or self.pending:
            self._fail(f"expected {self.grammar.noun}", 0, len(text))
        terms = join_terms(self.parts, self.grammar)
        return Terms(terms.included, terms.excluded, terms.negated or self.seen_mark)

    def _open(self, at: int) -> None:
        self._expect_element(at, "[")
        if len(self.open) >= DEEPEST:
            raise Mistake(Code.TOO_DEEP, f"more than {DEEPEST} lists inside each other", at, at + 1)
        self.open.append((at, self.outside))
        self.outside ^= self.pending
        self.pending = False
        self.fresh = True

    def _close(self, at: int) -> None:
        if not self.open:
            self._fail("this `]` closes no list", at, 1)
        if self.fresh or self.pending:
            self._fail(f"expected {self.grammar.noun} before this `]`", at, 1)
        self.outside = self.open.pop()[1]
        self.wants = False

    def _element(self, token: str, at: int) -> None:
        self._expect_element(at, token)
        try:
            terms = self.lookup(token[1:]) if token[0] == "$" else Terms(self.grammar.item(token), None)
        except Mistake as mistake:
            raise mistake.moved(at) from None
        self.parts.append(terms.flipped() if self.outside ^ self.pending else terms)
        self.pending = False
        self.wants = self.fresh = False

    def _expect_element(self, at: int, token: str) -> None:
        if not self.wants:
            self._fail(f"a comma is missing before {token!r}", at, len(token))

    def _fail(self, message: str, at: int, length: int, hint: str = "") -> None:
        raise Mistake(self.grammar.code, message, at, at + length, hint or f"for example: {self.grammar.example}")
