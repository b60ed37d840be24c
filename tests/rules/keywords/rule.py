"""One rule around some options."""

from __future__ import annotations

from twinwall.rules.parser import parse_rules


def read(options, header="alert tcp any any -> any any"):
    """The rule (None if it is refused) and its diagnostics."""
    parsed = parse_rules(f"{header} ({options} sid:1;)", "f")
    return (parsed.rules[0] if parsed.rules else None), parsed.diagnostics
