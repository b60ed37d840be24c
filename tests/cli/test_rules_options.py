from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from tests.cli.running import write_policy
from twinwall.cli.rules_options import open_rules, rules_options
from twinwall.policy.diagnostic import PolicyError

RULE = 'drop tcp any any -> any 80 (msg:"web"; sid:17;)'


def test_the_options_arrive_by_name_and_are_optional():
    @click.command()
    @rules_options
    def command(policy: str | None, state: str | None) -> None:
        click.echo(f"{policy} {state}")

    assert CliRunner().invoke(command, ["--policy", "p.yaml", "--state", "here"]).output == "p.yaml here\n"
    assert CliRunner().invoke(command, []).output == "None None\n"


def test_rules_of_a_named_policy(tmp_path):
    rules = open_rules(str(write_policy(tmp_path / "p.yaml", RULE)), None)
    found = rules.rule(1, 3)
    assert found is not None
    assert found.sid == 17


def test_a_policy_with_mistakes_is_refused(tmp_path):
    path = tmp_path / "p.yaml"
    path.write_text("twinwall: 1\nnonsense: 2\n")
    with pytest.raises(PolicyError, match="nonsense"):
        open_rules(str(path), None)


def test_an_empty_state_folder_knows_no_rule(tmp_path):
    assert open_rules(None, str(tmp_path / "state")).rule(1, 3) is None
