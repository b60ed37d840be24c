"""The manual's reference pages, printed from the records that the readers use."""

from __future__ import annotations

from collections.abc import Iterable

from twinwall.policy.codes import Code
from twinwall.rules.classtypes import CLASSTYPES
from twinwall.rules.keyword import Where
from twinwall.rules.protocols import PROTOCOLS, UNSUPPORTED_PROTOCOLS
from twinwall.rules.registry import FAMILIES
from twinwall.rules.schema import KEYS
from twinwall.rules.unsupported import UNSUPPORTED_KEYWORDS

STAGES = {Where.BOTH: "both", Where.STATELESS: "stateless", Where.STATEFUL: "stateful"}
GENERATED = "<!-- Printed from the code; a test holds it to the code. -->"


def keywords_page() -> str:
    """`docs/rule-keywords.md`."""
    lines = ["# Keywords of the rule language", "", GENERATED, ""]
    lines += ["A rule is `action protocol source port -> destination port (options)`; every option ends with a semicolon.", ""]
    lines += [f"Protocols: {_code(PROTOCOLS)}.", ""]
    for family in FAMILIES:
        title = (family.__doc__ or "").splitlines()[0].rstrip(".:")
        lines += [f"## {title}", "", *_table(("keyword", "stage", "takes", "asks for"))]
        for keyword in family.KEYWORDS:
            names = ", ".join(f"`{name}`" for name in (keyword.name, *keyword.aliases))
            lines.append(_row((names, STAGES[keyword.where], keyword.takes, keyword.summary)))
        lines.append("")
    lines += ["## Classifications", "", *_table(("classtype", "description", "priority"))]
    lines += [_row((f"`{name}`", each.description, str(each.priority))) for name, each in CLASSTYPES.items()]
    lines += ["", "## Not supported yet", "", "Known to the language; a rule with one of them is refused by name.", ""]
    lines += [
        f"Protocols: {_code(sorted(UNSUPPORTED_PROTOCOLS))}.",
        "",
        f"Keywords: {_code(sorted(UNSUPPORTED_KEYWORDS))}.",
        "",
    ]
    return "\n".join(lines)


def diagnostics_page() -> str:
    """`docs/diagnostics.md`."""
    lines = ["# Diagnostics", "", GENERATED, ""]
    lines += [
        "Every mistake is reported as `file:line:column: error[code]: what it is`, often with a hint. Codes are stable.",
        "",
    ]
    lines += [*_table(("code", "meaning")), *(_row((f"`{code.value}`", code.meaning)) for code in Code), ""]
    return "\n".join(lines)


def options_reference() -> str:
    """The option reference inside `docs/policy-file.md`."""
    lines: list[str] = []
    for section in dict.fromkeys(key.section for key in KEYS):
        lines += [f"### {f'`{section}`' if section else 'Top level'}", "", *_table(("key", "takes", "without it", "meaning"))]
        lines += [_row((f"`{key.name}`", key.takes, key.default, key.meaning)) for key in KEYS if key.section == section]
        lines.append("")
    return "\n".join(lines)


def _code(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _table(titles: tuple[str, ...]) -> list[str]:
    return [_row(titles), _row(("---",) * len(titles))]
