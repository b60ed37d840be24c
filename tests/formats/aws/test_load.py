"""Files and folders: what is read, and what cannot be."""

import json

import pytest

from tests.formats.aws.made import HOME, group, policy, refer
from twinwall.formats.aws.load import load_aws
from twinwall.formats.aws.options import AwsOptions
from twinwall.policy.diagnostic import PolicyError


def write(folder, name, document):
    path = folder / name
    path.write_text(json.dumps(document))
    return path


def mistakes(paths):
    with pytest.raises(PolicyError) as caught:
        load_aws(paths, AwsOptions())
    return [(each.code, each.span.file) for each in caught.value.diagnostics]


def test_a_folder(tmp_path):
    write(tmp_path, "policy.json", policy(StatefulRuleGroupReferences=refer("deep")))
    write(tmp_path, "deep.JSON", group("x", {"RulesString": "pass ip any any -> any any (sid:1;)"})["RuleGroup"])
    (tmp_path / "notes.txt").write_text("not JSON")
    (tmp_path / "sub.json").mkdir()
    reading = load_aws([tmp_path], HOME)
    assert [rule.sid for rule in reading.policy.stateful.rules] == [1]
    assert reading.diagnostics == ()


def test_single_files(tmp_path):
    first = write(tmp_path, "policy.json", policy(StatefulRuleGroupReferences=refer("deep")))
    second = write(tmp_path, "deep.txt", group("deep", {"RulesString": ""}))
    assert load_aws([first, second], HOME).policy.name == "edge"


def test_warnings_come_back_with_the_policy(tmp_path):
    write(tmp_path, "policy.json", policy())
    write(tmp_path, "idle.json", group("idle", {"RulesString": ""}))
    assert [each.code for each in load_aws([tmp_path], HOME).diagnostics] == ["aws-unused"]


def test_a_byte_order_mark_is_passed_over_and_utf_16_is_not(tmp_path):
    path = tmp_path / "policy.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(policy()).encode())
    assert load_aws([path], HOME).policy is not None
    path.write_bytes(json.dumps(policy()).encode("utf-16"))
    assert ("aws-encoding", str(path)) in mistakes([path])


def test_the_place_of_a_byte_that_is_not_utf_8(tmp_path):
    path = tmp_path / "policy.json"
    path.write_bytes(b'{\n "a": "\xff"}')
    with pytest.raises(PolicyError) as caught:
        load_aws([path], AwsOptions())
    assert (caught.value.diagnostics[0].span.line, caught.value.diagnostics[0].span.column) == (2, 8)


def test_what_cannot_be_read_does_not_hide_other_mistakes(tmp_path):
    bad = write(tmp_path, "policy.json", policy(StatelessDefaultActions=[]))
    missing = tmp_path / "missing.json"
    assert mistakes([missing, bad]) == [("aws-unreadable", str(missing)), ("aws-standard-action", str(bad))]


def test_a_folder_without_json_is_named_and_the_hint_says_what_a_folder_means(tmp_path):
    (tmp_path / "policy.yaml").write_text("twinwall: 1")
    with pytest.raises(PolicyError) as caught:
        load_aws([tmp_path], AwsOptions())
    (only,) = caught.value.diagnostics
    assert (only.code, only.span.file) == ("aws-no-policy", str(tmp_path))
    assert "YAML" in only.hint


def test_a_file_that_is_not_there_is_one_mistake(tmp_path):
    assert mistakes([tmp_path / "missing.json"]) == [("aws-unreadable", str(tmp_path / "missing.json"))]


def test_a_file_beyond_any_export(tmp_path, monkeypatch):
    monkeypatch.setattr("twinwall.formats.aws.load.MAX_FILE", 10)
    path = write(tmp_path, "policy.json", policy())
    assert mistakes([path])[0] == ("aws-unreadable", str(path))
