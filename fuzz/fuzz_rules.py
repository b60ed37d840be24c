"""Fuzz the rule parser with atheris: `python fuzz/fuzz_rules.py [corpus] [-max_total_time=60]`.

Whatever the text, the parser answers with rules and diagnostics; what it accepts prints as itself.
"""

from __future__ import annotations

import sys

from twinwall.rules.keyword import UnprintableError, Where
from twinwall.rules.lexer import logical_lines
from twinwall.rules.parser import RuleParser
from twinwall.rules.printer import print_rule


def one_input(data: bytes) -> None:
    """Parse the bytes as a rules file of both stages."""
    text = data.decode("utf-8", "replace")
    for stage in (Where.STATELESS, Where.STATEFUL):
        parser = RuleParser()
        for rule in parser.read(logical_lines(text, "fuzz"), stage).rules:
            try:
                printed = print_rule(rule, tuple(parser.interfaces))
            except UnprintableError:
                continue
            (again,) = RuleParser().read(logical_lines(printed, "fuzz"), stage).rules
            assert again.source == rule.source
            assert again.type is rule.type


def main() -> None:
    """Run until stopped."""
    try:
        import atheris  # noqa: PLC0415 - not needed by anything else
    except ImportError:
        print("atheris is not installed: nothing was fuzzed (pip install atheris)")
        return
    atheris.instrument_all()
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
