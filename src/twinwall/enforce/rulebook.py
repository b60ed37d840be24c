"""From the numbers in marks back to rules: those of a policy's file, or those of the policy that is in force.

A number is a place in `CompiledPolicy.stateful.rules` plus one (render.marks).  It means something only together with the
policy that was in force when it was written.  Connection marks and log prefixes name that policy's generation; a packet's mark
does not, so while one policy replaces another a packet's rule is known only where both agree.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Protocol

from twinwall.compile.defaults import default_rules
from twinwall.enforce.state import InForce, State
from twinwall.live.error import EnforcementError
from twinwall.policy.model import Attach, Policy, Rule, StatelessStage

LINGER = 10.0  # seconds after which no packet is under way that an earlier policy marked


@dataclass(frozen=True)
class RuleBook:
    """The stateful rules of one policy by number.  `generation` 0: it is not known under which one it is enforced.

    `stateless` is its other stage, whose rules have no numbers in marks.
    """

    rules: tuple[Rule, ...] = ()
    attach: Attach | None = None
    generation: int = 0
    digest: str = ""
    stateless: StatelessStage = field(default_factory=StatelessStage)

    @classmethod
    def of(cls, policy: Policy, generation: int = 0, digest: str = "") -> RuleBook:
        """The numbers that the marks of `policy` use: its rules, then its default actions."""
        defaults = tuple(each.rule for each in default_rules(policy.stateful.default))
        return cls(policy.stateful.rules + defaults, policy.attach, generation, digest, policy.stateless)

    def rule(self, number: int) -> Rule | None:
        """The rule with this number, if there is one."""
        return self.rules[number - 1] if 0 < number <= len(self.rules) else None

    def numbers(self, sid: int) -> frozenset[int]:
        """The numbers of the rules with this sid."""
        return self._by_sid.get(sid, frozenset())

    @cached_property
    def _by_sid(self) -> dict[int, frozenset[int]]:
        found: defaultdict[int, set[int]] = defaultdict(set)
        for number, rule in enumerate(self.rules, 1):
            found[rule.sid].add(number)
        return {sid: frozenset(numbers) for sid, numbers in found.items()}


NO_RULES = RuleBook()


class Rules(Protocol):
    """Where a long-running command gets its rules from."""

    @property
    def book(self) -> RuleBook:
        """The rules as of the last `refresh`."""

    def refresh(self) -> bool:
        """Look again; whether another policy is in force now.  Raises `EnforcementError`."""

    def rule(self, number: int, generation: int = 0) -> Rule | None:
        """The rule with this number in the policy of that generation; None if either is not known.

        Generation 0 stands for "it was not said": None, if it may be one of several policies and they do not agree.
        """


@dataclass(frozen=True)
class FixedRules:
    """The rules of a policy that somebody named."""

    book: RuleBook

    def refresh(self) -> bool:
        """They do not change."""
        return False

    def rule(self, number: int, generation: int = 0) -> Rule | None:  # noqa: ARG002 - whoever names a policy means this one
        """The rule with this number."""
        return self.book.rule(number)


class RulesInForce:
    """The rules of the policy that the state folder says is in force; none while there is none.

    A policy that is about to replace it, or that it has replaced within the last `LINGER` seconds, has marked some of the
    packets that are still under way.
    """

    def __init__(self, state: State, clock: Callable[[], float] = time.monotonic) -> None:
        self._state = state
        self._clock = clock
        self._seen: object = ()
        self._coming: RuleBook | None = None
        self._gone: tuple[float, RuleBook] | None = None  # until when it matters
        self.book = NO_RULES
        self.refresh()
        self._gone = None  # what was there before this process marked nothing that it will see

    def refresh(self) -> bool:
        """Read the policies again if another one was put in force, or is about to be.  Raises `EnforcementError`."""
        seen = [self._stamp(name) for name in ("current.json", "pending.json")]
        if seen == self._seen:
            return False
        current, pending = self._state.current(), self._state.pending()
        before, self.book = self.book, self._book(current, self.book)
        coming = pending.new if pending is not None and pending.new != current else None
        self._coming = None if coming is None else self._book(coming, self._coming)
        self._seen = seen
        if before.rules == self.book.rules:
            return before != self.book
        self._gone = (self._clock() + LINGER, before)
        return True

    def rule(self, number: int, generation: int = 0) -> Rule | None:
        """The rule that a mark speaks of; without a generation, if every policy that may have written it means the same."""
        books = [self.book]
        if self._coming is not None:
            books.append(self._coming)
        if self._gone is not None and (generation or self._clock() < self._gone[0]):
            books.append(self._gone[1])
        if generation:
            return next((book.rule(number) for book in books if book.generation == generation), None)
        rules = [book.rule(number) for book in books]
        return rules[0] if all(_same(rule, rules[0]) for rule in rules[1:]) else None

    def _book(self, force: InForce | None, known: RuleBook | None) -> RuleBook:
        if force is None:
            return NO_RULES
        if known is not None and known.digest == force.chosen.digest:
            return replace(known, generation=force.generation)
        return RuleBook.of(self._state.source(force.chosen.digest).policy(), force.generation, force.chosen.digest)

    def _stamp(self, name: str) -> tuple[int, int] | None:
        """What changes whenever the file does: it is replaced, never written in place."""
        try:
            found = Path(self._state.folder, name).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            remedy = "run it as root, or name the folder with --state"
            raise EnforcementError(f"read {self._state.folder}", error.strerror or str(error), remedy) from error
        return found.st_mtime_ns, found.st_ino


def _same(one: Rule | None, other: Rule | None) -> bool:
    """Whether two rules of different policies are the same rule, wherever they stand."""
    return one is not None and other is not None and (one.sid, one.text) == (other.sid, other.text)
