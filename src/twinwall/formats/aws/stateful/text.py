"""From a sheet of rules to `Rule`s: the service's own checks, then the rule parser, and every mistake at its place.

The parser gets each line as if it stood alone in a file, on a line of its number and from column 1, and what it reports is
moved to where those characters stand in the export.  `@NAME`, which the rule language does not have, becomes a variable
whose name keeps the `@`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from twinwall.formats.aws.findings import Findings
from twinwall.formats.aws.stateful.checks import RuleChecks
from twinwall.formats.aws.stateful.sheet import RuleLine, RuleSheet
from twinwall.formats.aws.stateful.variables import GroupVariables
from twinwall.policy.codes import Code as LanguageCode
from twinwall.policy.diagnostic import Diagnostic
from twinwall.policy.model import Order, Rule
from twinwall.rules.keyword import Where
from twinwall.rules.located import Located
from twinwall.rules.parser import RuleParser
from twinwall.rules.variables import Variables

ASKED_HERE = frozenset({LanguageCode.MISSING_SID, LanguageCode.DUPLICATE_SID})  # `RuleChecks` says them with the group's name
ABOUT_KEYWORDS = frozenset({LanguageCode.UNKNOWN_KEYWORD, LanguageCode.UNSUPPORTED_KEYWORD})


@dataclass(frozen=True, slots=True)
class _Line:
    """A rule line as the parser gets it; `inserted` are the places of the `$` put before each `@`."""

    line: RuleLine
    text: str
    inserted: tuple[int, ...]

    def offset(self, column: int) -> int:
        """The place in the original line of a column that the parser names."""
        at = column - 1
        return at - sum(each < at for each in self.inserted)


@dataclass
class GroupParser:
    """Parses the sheets of one group, which share variables and the sids seen.

    `generated`: the rules come from the service itself, which may write what it refuses to users.
    """

    group: str
    order: Order
    variables: GroupVariables
    findings: Findings
    generated: bool = False

    def read(self, sheet: RuleSheet) -> list[Rule]:
        """The rules that are sound, in the order of the sheet."""
        lines = {line.number: _prepare(line) for line in sheet.lines}
        definitions = dict(self.variables.definitions)
        for line in sheet.lines:  # an undeclared name is diagnosed once, by the checks
            for sigil, name, _ in line.variables():
                definitions.setdefault(name if sigil == "$" else f"@{name}", (Located("any", sheet.what),))
        parser = RuleParser(Variables(definitions), foreign=True)
        given = (Located(prepared.text, sheet.what, number) for number, prepared in lines.items())
        parsed = parser.read(given, Where.STATEFUL, self.group)
        checks = RuleChecks(self.group, self.order, self.variables, self.findings, generated=self.generated)
        checks.check(sheet)
        for each in parsed.diagnostics:
            if each.code not in ASKED_HERE and not (each.code in ABOUT_KEYWORDS and _at(each, lines) in checks.keywords):
                self.findings.take(self._moved(each, sheet, lines))
        for each in parser.variables.diagnostics:
            self.findings.take(each)
        return [self._placed(rule, sheet, lines[rule.span.line].line) for rule in parsed.rules]

    def _moved(self, diagnostic: Diagnostic, sheet: RuleSheet, lines: dict[int, _Line]) -> Diagnostic:
        span = diagnostic.span
        message = f"{self.group}, {sheet.what} {span.line}: {diagnostic.message}"
        return replace(diagnostic, message=message, span=sheet.place(_at(diagnostic, lines), span.length))

    def _placed(self, rule: Rule, sheet: RuleSheet, line: RuleLine) -> Rule:
        return replace(rule, span=sheet.place(line.index, len(line.text)), text=line.text, synthetic=self.generated)


def _prepare(line: RuleLine) -> _Line:
    """Write `@NAME` in the header as `$@NAME`."""
    places = [index - line.index for sigil, _, index in line.variables() if sigil == "@"]
    text = line.text
    for count, place in enumerate(places):
        text = f"{text[: place + count]}${text[place + count :]}"
    return _Line(line, text, tuple(place + count for count, place in enumerate(places)))


def _at(diagnostic: Diagnostic, lines: dict[int, _Line]) -> int:
    """The index in the sheet of what the parser reports."""
    prepared = lines[diagnostic.span.line]
    return prepared.line.index + prepared.offset(diagnostic.span.column)


def name_flowbits(rules: Sequence[Rule]) -> tuple[str, ...]:
    """The names of all flowbits, in order of appearance."""
    return tuple(dict.fromkeys(name for rule in rules for option in rule.flowbits for name in option.names))
