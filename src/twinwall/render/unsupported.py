"""What a policy asks for and Linux cannot do: refused by name, all of it at once, never approximated.

Every part of the renderer returns what it cannot express as a list of `Unsupported`; `refuse` turns them into diagnostics.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from twinwall.policy.codes import Code
from twinwall.policy.diagnostic import Diagnostic, PolicyError, Severity, Span
from twinwall.policy.model import Policy


@dataclass(frozen=True, slots=True)
class Unsupported:
    """One thing that cannot be rendered: what and why, and what to write instead.  `sid` and `span`: the rule it is about."""

    what: str
    remedy: str
    sid: int | None = None
    span: Span | None = None

    def diagnostic(self, policy: Policy) -> Diagnostic:
        """As the readers of policies say it."""
        place = self.span if self.span is not None else Span(policy.name or "policy", 1, 1)
        what = self.what if self.sid is None else f"sid {self.sid}: {self.what}"
        return Diagnostic(Severity.ERROR, Code.NOT_ENFORCEABLE, what, place, self.remedy)


def refuse(found: Iterable[Unsupported], policy: Policy) -> None:
    """Raise `PolicyError` with everything in `found`, in the order of the policy's files; nothing happens if it is empty."""
    diagnostics = sorted((each.diagnostic(policy) for each in found), key=lambda each: (each.span.file, each.span.line))
    if diagnostics:
        raise PolicyError(tuple(diagnostics))
