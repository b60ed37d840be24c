"""How a mistake reads."""

from __future__ import annotations

from twinwall.policy.codes import Code
from twinwall.policy.diagnostic import Diagnostic, PolicyError, Severity, Span


def test_a_diagnostic_names_place_code_and_remedy():
    found = Diagnostic(
        Severity.ERROR, Code.BAD_PORT, "99999 is above the highest port", Span("p.yaml", 3, 7), "ports are 0 to 65535"
    )
    assert str(found) == "p.yaml:3:7: error[bad-port]: 99999 is above the highest port\n    hint: ports are 0 to 65535"


def test_an_error_carries_all_diagnostics():
    found = tuple(Diagnostic(Severity.ERROR, Code.BAD_PORT, text, Span("f", 1, 1)) for text in ("one", "two"))
    assert str(PolicyError(found)).splitlines() == ["f:1:1: error[bad-port]: one", "f:1:1: error[bad-port]: two"]
    assert PolicyError(found).diagnostics == found
