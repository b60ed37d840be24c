"""The list grammar that addresses and ports share: `a`, `!a`, `[a, !b, [c, $D]]`, `$NAME`, `any`.

    expression = element *("," element)
    element    = ["!"] ( "[" expression "]" | "$" name | item )

A list means: what its plain elements hold together, without what its excluded elements hold.  Where it only excludes, it
starts from everything; of addresses, from every address of the IP versions it speaks of.  A plain list or variable inside a
list joins it element by element; behind `!` it is settled to a set first.  This is Suricata's meaning, and a test holds it
against Suricata.  A comma may stand behind the last element.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, NoReturn, TypeVar

from twinwall.policy.codes import Code
from twinwall.policy.sets import AddressSet, PortSet
from twinwall.rules.located import Mistake

S = TypeVar("S", AddressSet, PortSet)

DEEPEST = 32  # nested lists; and, on their own, variables inside variables
TOKEN = re.compile(r"[!\[\],]|[^!\[\],\s]+")
ITEM = re.compile(r"[^$!\[\],\s][^!\[\],\s]*")


@dataclass(frozen=True, slots=True)
class Terms(Generic[S]):
    """What a list holds and what it excludes; None: it says nothing of that kind."""

    included: S | None
    excluded: S | None
    negated: bool = False  # a `!` stands somewhere in the text


@dataclass(frozen=True, slots=True)
class Grammar(Generic[S]):
    """What differs between addresses and ports: the items, their union, what exclusions leave, the words of the messages."""

    item: Callable[[str], S]  # raises Mistake
    union: Callable[[Iterable[S]], S]
    settle: Callable[[S | None, S | None], S]  # included, excluded
    nothing: S
    code: Code
    noun: str
    example: str


Lookup = Callable[[str], Terms[S]]  # a variable's terms by name; raises Mistake or AlreadyReportedError


def read_set(text: str, grammar: Grammar[S], lookup: Lookup[S]) -> tuple[S, bool]:
    """The set that an expression means, and whether a `!` stands in it.  Raises as `read_terms` and `settle` do."""
    if ITEM.fullmatch(text):  # as nearly all are
        return grammar.item(text), False
    terms = read_terms(text, grammar, lookup)
    return settle(terms, grammar, 0, len(text)), terms.negated


def read_terms(text: str, grammar: Grammar[S], lookup: Lookup[S]) -> Terms[S]:
    """The terms of an expression.  Raises `Mistake` with offsets into `text`, or what `lookup` raises."""
    if ITEM.fullmatch(text):
        return Terms(grammar.item(text), None)
    reader: _Reader[S] = _Reader(grammar, lookup)
    for token in TOKEN.finditer(text):
        reader.take(token.group(), token.start())
    return reader.finish(text)


def join_terms(parts: list[Terms[S]], grammar: Grammar[S]) -> Terms[S]:
    """The terms of a list whose elements are `parts`."""
    if len(parts) == 1:
        return parts[0]
    included = [part.included for part in parts if part.included is not None]
    excluded = [part.excluded for part in parts if part.excluded is not None]
    return Terms(
        grammar.union(included) if included else None,
        grammar.union(excluded) if excluded else None,
        any(part.negated for part in parts),
    )


def settle(terms: Terms[S], grammar: Grammar[S], start: int, end: int) -> S:
    """The set that terms mean.  An empty one is a mistake, as it is in Suricata."""
    if terms.included is not None and terms.excluded is None:  # as nearly always; what is included is never empty
        return terms.included
    result = grammar.settle(terms.included, terms.excluded)
    if result == grammar.nothing:
        hint = "the exclusions take away everything that the list holds"
        raise Mistake(Code.EMPTY_SET, f"no {grammar.noun} is left", start, end, hint)
    return result


@dataclass(slots=True)
class _List(Generic[S]):
    """A list that is not closed yet: where it began, whether `!` stands before it, and its elements so far."""

    start: int
    excluded: bool
    parts: list[Terms[S]]


class _Reader(Generic[S]):
    """One walk over the tokens, with an explicit stack of open lists; the first of them is the expression itself."""

    def __init__(self, grammar: Grammar[S], lookup: Callable[[str], Terms[S]]) -> None:
        self.grammar: Grammar[S] = grammar
        self.lookup: Callable[[str], Terms[S]] = lookup
        self.open: list[_List[S]] = [_List(0, excluded=False, parts=[])]
        self.exclude = False  # a `!` was just read
        self.wants = True  # an element, rather than `,` or `]`

    def take(self, token: str, at: int) -> None:
        if token == "]":
            self._close(at)
        elif token == ",":
            if self.wants:
                self._fail("an element is missing before the comma", at, 1)
            self.wants = True
        elif not self.wants:
            self._fail(f"a comma is missing before {token!r}", at, len(token))
        elif token == "!":
            if self.exclude:
                self._fail("`!` twice", at, 1, "one `!` excludes; two do not take each other back")
            self.exclude = True
        elif token == "[":
            self._open(at)
        else:
            self._element(token, at)

    def finish(self, text: str) -> Terms[S]:
        if len(self.open) > 1:
            self._fail("this list is not closed", self.open[-1].start, 1, "a `]` is missing")
        if not self.open[0].parts or self.exclude:
            self._fail(f"expected {self.grammar.noun}", 0, len(text))
        return join_terms(self.open[0].parts, self.grammar)

    def _open(self, at: int) -> None:
        if len(self.open) > DEEPEST:
            raise Mistake(Code.TOO_DEEP, f"more than {DEEPEST} lists inside each other", at, at + 1)
        self.open.append(_List(at, self.exclude, []))
        self.exclude = False

    def _close(self, at: int) -> None:
        if len(self.open) == 1:
            self._fail("this `]` closes no list", at, 1)
        closed = self.open.pop()
        if not closed.parts or self.exclude:
            self._fail(f"expected {self.grammar.noun} before this `]`", at, 1)
        self._add(join_terms(closed.parts, self.grammar), closed.excluded, closed.start, at + 1)

    def _element(self, token: str, at: int) -> None:
        try:
            terms = self.lookup(token[1:]) if token[0] == "$" else Terms(self.grammar.item(token), None)
        except Mistake as mistake:
            raise mistake.moved(at) from None
        self._add(terms, self.exclude, at, at + len(token))
        self.exclude = False

    def _add(self, terms: Terms[S], excluded: bool, start: int, end: int) -> None:
        if excluded:
            terms = Terms(None, settle(terms, self.grammar, start, end), negated=True)
        self.open[-1].parts.append(terms)
        self.wants = False

    def _fail(self, message: str, at: int, length: int, hint: str = "") -> NoReturn:
        raise Mistake(self.grammar.code, message, at, at + length, hint or f"for example: {self.grammar.example}")
