from __future__ import annotations

import pytest

from tests.cli.replaying import POLICY, ROOT
from twinwall.formats.aws.options import AwsOptions
from twinwall.formats.load import load_policy, read_policy
from twinwall.policy.diagnostic import PolicyError


def test_what_a_path_is_decides_how_it_is_read(tmp_path):
    (tmp_path / "x.rules").write_text("pass tcp any any -> any 80 (sid:7;)\n")
    assert [rule.sid for rule in load_policy(tmp_path / "x.rules").stateful.rules] == [7]
    assert load_policy(POLICY).stateless.rules
    export = read_policy([ROOT / "examples" / "aws"], AwsOptions(home_net=("10.20.0.0/16",), references={}))
    assert export.policy is not None
    assert export.report is not None


def test_mistakes_are_values_to_one_and_an_error_to_the_other(tmp_path):
    (tmp_path / "x.yaml").write_text("twinwall: 1\nnonsense: 1\n")
    reading = read_policy([tmp_path / "x.yaml"])
    assert reading.policy is None
    with pytest.raises(PolicyError) as caught:
        load_policy(tmp_path / "x.yaml")
    assert caught.value.diagnostics == reading.diagnostics != ()


def test_two_yaml_files_are_not_one_policy(tmp_path):
    (diagnostic,) = read_policy([POLICY, POLICY]).diagnostics
    assert "2 policy files" in diagnostic.message
