"""The manual's reference pages are those that the code prints."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.rules.test_policy_file import sound
from twinwall.policy.codes import Code
from twinwall.rules.manual import diagnostics_page, keywords_page, options_reference

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize(("name", "page"), [("rule-keywords.md", keywords_page), ("diagnostics.md", diagnostics_page)])
def test_a_page_is_current(name, page):
    assert (DOCS / name).read_text() == page()


def test_the_option_reference_is_current():
    assert (DOCS / "policy-file.md").read_text().endswith(options_reference())


def test_the_examples_of_the_guide_load():
    examples = re.findall(r"^```yaml\n(.*?)^```$", (DOCS / "policy-file.md").read_text(), re.MULTILINE | re.DOTALL)
    policies = [sound(each if each.startswith("twinwall:") else f"twinwall: 1\n{each}") for each in examples]
    assert len(policies) == 4
    assert any(policy.nat.forward for policy in policies)
    assert any(rule.inspect for policy in policies for rule in policy.stateful.rules)


def test_every_code_is_used_somewhere():
    source = Path(__file__).parents[2] / "src" / "twinwall"
    text = "".join(path.read_text() for path in source.rglob("*.py") if path.name != "codes.py")
    assert [code.name for code in Code if f"Code.{code.name}" not in text] == []
