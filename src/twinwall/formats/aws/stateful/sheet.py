"""Rule text as the service sees it before its engine does: one rule on a line, an action, a header, options.

Enough structure for the service's own checks (`rule_checks`), and no more: what a rule means is the rule parser's business.
A `RuleSheet` is a text of rules that knows where each character stands in the export.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

from twinwall.formats.aws.stateful.five_tuple import TranslatedRule
from twinwall.formats.json.value import Value
from twinwall.policy.diagnostic import Span

OPTION = re.compile(r"\s*((?:[^;\\]|\\.)*);", re.DOTALL)
WORD = re.compile(r"\S+")
VARIABLE = re.compile(r"([$@])([A-Za-z0-9_]+)")


@dataclass(frozen=True, slots=True)
class Option:
    """`name` or `name:value`, and where it begins in the sheet."""

    name: str
    value: str
    index: int


@dataclass(frozen=True, slots=True)
class RuleLine:
    """One line that holds a rule: its number from 1, its place in the sheet, its action, protocol, header and options."""

    number: int
    index: int
    text: str
    action: str
    protocol: str
    header: str
    options: tuple[Option, ...]

    def values(self, name: str) -> list[str]:
        """The values of all options of a name."""
        return [option.value for option in self.options if option.name == name]

    def variables(self) -> Iterator[tuple[str, str, int]]:
        """The sigil, name and place in the sheet of every variable in the header."""
        for match in VARIABLE.finditer(self.header):
            yield match[1], match[2], self.index + match.start()


@dataclass(frozen=True)
class RuleSheet:
    """Rules, one on a line; `what` names a rule in messages.

    `value_at` gives the JSON value that the character at an index comes from.  `exact`: that value is a string which holds the
    sheet as it is, so that every character has a place of its own.
    """

    text: str
    what: str
    value_at: Callable[[int], Value]
    exact: bool = False

    def place(self, index: int, length: int) -> Span:
        """The place of `length` characters from `index`."""
        value = self.value_at(index)
        return value.inner_span(index, length) if self.exact else value.span

    @cached_property
    def lines(self) -> tuple[RuleLine, ...]:
        """The lines that are neither empty nor comments."""
        found: list[RuleLine] = []
        index = 0
        for number, raw in enumerate(self.text.split("\n"), 1):
            text = raw.strip()
            if text and not text.startswith("#"):
                found.append(_scan(number, index + raw.index(text[0]), text))
            index += len(raw) + 1
        return tuple(found)


def _scan(number: int, index: int, text: str) -> RuleLine:
    header, _, rest = text.partition("(")
    words = WORD.findall(header)
    options = tuple(_options(rest.rpartition(")")[0] if ")" in rest else rest, index + len(header) + 1))
    action = words[0].lower() if words else ""
    return RuleLine(number, index, text, action, words[1].lower() if len(words) > 1 else "", header, options)


def _options(text: str, index: int) -> Iterator[Option]:
    for match in OPTION.finditer(text):
        name, _, value = match[1].partition(":")
        yield Option(name.strip().lower(), value.strip(), index + match.start(1))


def sheet_of_string(value: Value) -> RuleSheet:
    """The rules of a `RulesString`; places go through the string's escapes."""
    return RuleSheet(str(value.content), "rule line", lambda _: value, exact=True)


def sheet_of_parts(rules: Sequence[TranslatedRule]) -> RuleSheet:
    """Translated 5-tuple rules, one on a line; each stands at the JSON object it was made of."""
    lengths = [len(rule.text) + 1 for rule in rules]
    starts = list(accumulate(lengths, initial=0))[:-1]
    text = "\n".join(rule.text for rule in rules)
    return RuleSheet(text, "rule", lambda index: rules[bisect_right(starts, index) - 1].value)


def sheet_of_translation(text: str, value: Value) -> RuleSheet:
    """Rules generated from one value as a whole."""
    return RuleSheet(text, "generated rule", lambda _: value)
