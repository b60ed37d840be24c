"""Arbitrary and nearly sound texts: the readers answer with diagnostics and with nothing else, each at a place in the text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.rules.strategies import STATEFUL, STATELESS, mutated
from tests.rules.test_policy_file import WHOLE, read
from twinwall.rules.keyword import Where
from twinwall.rules.parser import parse_rules


def check_places(text, diagnostics):
    lines = text.splitlines() or [""]
    for each in diagnostics:
        assert 1 <= each.span.line <= len(lines) + 1
        assert each.span.column >= 1
        assert each.message
        assert each.span.length >= 1


@given(st.one_of(st.text(), mutated(STATEFUL), mutated(STATELESS)), st.sampled_from([Where.STATEFUL, Where.STATELESS]))
def test_rules(text, stage):
    parsed = parse_rules(text, "f", stage)
    check_places(text, parsed.diagnostics)


@given(st.one_of(st.text(), mutated(st.just(WHOLE))))
def test_policies(text):
    policy, diagnostics = read(text)
    assert (policy is None) is bool(diagnostics)
    check_places(text, diagnostics)


@given(st.text("[]!,$a1.:/- ", max_size=30))
def test_expressions(text):
    check_places("x" * 200, parse_rules(f"alert tcp {text} any -> any {text} (sid:1;)", "f").diagnostics)
