"""The registry of findings: stable labels, each with a remedy, each in the guide."""

import re
from pathlib import Path

import pytest

from tests.formats.aws.made import only, read
from twinwall.formats.aws.codes import Code
from twinwall.policy.diagnostic import Severity, Span

ROOT = Path(__file__).parents[3]


def test_labels_are_unique_and_of_one_family():
    labels = [code.label for code in Code]
    assert len(set(labels)) == len(labels)
    assert all(re.fullmatch(r"aws-[a-z0-9-]+", label) for label in labels)


@pytest.mark.parametrize("code", list(Code))
def test_every_code_is_in_the_guide_with_its_severity(code):
    guide = (ROOT / "docs" / "aws.md").read_text()
    assert re.search(rf"\| `{code.label}` \| {code.severity.value} \|", guide)


@pytest.mark.parametrize("code", list(Code))
def test_every_code_is_reached_by_a_test(code):
    tests = Path(__file__).parent.rglob("test_*.py")
    assert any(code.label in path.read_text() for path in tests if path != Path(__file__))


def test_a_hint_of_its_own_replaces_the_general_one():
    span = Span("f", 1, 1)
    assert Code.FOREIGN.diagnostic(span, "m", "do this").hint == "do this"
    assert Code.FOREIGN.diagnostic(span, "m").hint == Code.FOREIGN.hint
    assert Code.UNUSED.diagnostic(span, "m").severity is Severity.WARNING


def test_hints_are_there_for_what_users_meet():
    assert "describe-rule-group" in only(read({}), "aws-foreign").hint
