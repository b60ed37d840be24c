"""A policy's texts are kept whole, and read again without the user's files."""

import os
import shutil

import pytest

from twinwall.enforce.source import Source, gather
from twinwall.formats.aws.options import AwsOptions
from twinwall.policy.model import Attach, Mode

HEAD = "twinwall: 1\nstateful:\n  files: [rules/*.rules]\n"
RULE = "pass tcp any any -> any {} (sid:{};)\n"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "rules").mkdir()
    (tmp_path / "policy.yaml").write_text(HEAD)
    (tmp_path / "rules/a.rules").write_text(RULE.format(443, 1))
    (tmp_path / "rules/b.rules").write_text(RULE.format(80, 2))
    return tmp_path


def read(path, options=None, attach=None):
    gathered = gather(str(path), options or AwsOptions(), lambda own: attach or own)
    assert gathered.reading.policy is not None, gathered.reading.diagnostics
    return gathered


def test_a_kept_policy_is_the_policy_after_its_files_are_gone(folder):
    gathered = read(folder / "policy.yaml")
    kept = Source.decode(gathered.source.encode())
    shutil.rmtree(folder)
    assert kept == gathered.source
    assert kept.policy() == gathered.reading.policy
    assert [rule.sid for rule in kept.policy().stateful.rules] == [1, 2]


def test_the_digest_names_the_contents_and_not_the_place(folder, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(folder, elsewhere)
    assert read(folder / "policy.yaml").source.digest == read(elsewhere / "policy.yaml").source.digest


def test_the_digest_changes_with_a_rule_in_a_file(folder):
    before = read(folder / "policy.yaml").source.digest
    (folder / "rules/b.rules").write_text(RULE.format(81, 2))
    assert read(folder / "policy.yaml").source.digest != before


def test_attach_of_the_command_line_is_part_of_the_policy(folder):
    attach = Attach(Mode.HOST, ("eth0",))
    gathered = read(folder / "policy.yaml", attach=attach)
    assert gathered.reading.policy.attach == attach
    assert Source.decode(gathered.source.encode()).policy().attach == attach
    assert gathered.source.digest != read(folder / "policy.yaml").source.digest


def test_bare_rules_are_kept(tmp_path):
    (tmp_path / "my.rules").write_text(RULE.format(443, 7))
    gathered = read(tmp_path / "my.rules")
    assert Source.decode(gathered.source.encode()).policy().stateful.rules[0].sid == 7


def test_an_export_is_kept_with_what_was_said_about_it():
    options = AwsOptions(home_net=("10.1.0.0/16",))
    gathered = read("examples/aws", options)
    kept = Source.decode(gathered.source.encode())
    assert kept.home_net == ("10.1.0.0/16",)
    assert kept.policy() == gathered.reading.policy


def test_mistakes_are_reported_as_check_reports_them(tmp_path):
    (tmp_path / "policy.yaml").write_text("twinwall: 2\n")
    gathered = gather(str(tmp_path / "policy.yaml"), AwsOptions())
    assert [each.code for each in gathered.reading.diagnostics] == ["unsupported-version"]


@pytest.mark.parametrize("name", ["nothing.yaml", "nothing.json"])
def test_a_missing_file_is_a_diagnostic(tmp_path, name):
    gathered = gather(str(tmp_path / name), AwsOptions())
    assert gathered.source is None
    assert gathered.reading.diagnostics


def test_a_file_whose_name_is_no_text_is_a_diagnostic(tmp_path):
    path = os.fsdecode(os.fsencode(tmp_path) + b"/a\xff.yaml")
    with open(path, "w") as stream:
        stream.write("twinwall: 1\n")
    gathered = gather(path, AwsOptions())
    assert gathered.source is None
    (found,) = gathered.reading.diagnostics
    assert "not text" in str(found)
    assert str(found).encode()


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b'{"kind": "odd"}'])
def test_what_is_no_kept_policy_is_an_error(data):
    with pytest.raises((ValueError, KeyError, TypeError)):
        Source.decode(data)
