"""How large a stage may be: beyond this a policy is refused, before the memory for it is asked for.

What grows is the number of cells (elementary intervals of addresses) times the number of rules.  100,000 rules, each with two
addresses of its own, stay below the bound; both stages then take some 1.3 GB to compile, and 260 MB a stage afterwards.
"""

from __future__ import annotations

from twinwall.policy.codes import Code
from twinwall.policy.diagnostic import Diagnostic, PolicyError, Severity
from twinwall.policy.model import Rule

MOST_ENTRIES = 1 << 20
MOST_CELLS = 40_000_000  # cells x blocks of 512 entries, of one field


class TooLargeError(Exception):
    """A table that would not fit; `check_entries` and the stage compilers turn it into a diagnostic."""


def check_entries(count: int) -> None:
    """Refuse more entries than an entry number can count."""
    if count > MOST_ENTRIES:
        raise TooLargeError(f"{count:,} rules (a two-way rule counts twice) are more than {MOST_ENTRIES:,}")


def check_cells(cells: int, blocks: int) -> None:
    """Refuse a line of `cells` cells whose rows would not fit."""
    if cells * blocks > MOST_CELLS:
        raise TooLargeError(f"{cells:,} different address ranges times {blocks * 512:,} rules do not fit into memory")


def refusal(error: TooLargeError, stage: str, rules: tuple[Rule, ...]) -> PolicyError:
    """The diagnostic for a stage that is too large."""
    message = f"the {stage} stage is too large: {error}"
    hint = "join rules that differ in one address or port only into one rule with a list"
    return PolicyError((Diagnostic(Severity.ERROR, Code.TOO_MANY_RULES, message, rules[0].span, hint),))
