from __future__ import annotations

import json

import pytest

from tests.cli.running import modules_after, twinwall, write_policy
from tests.formats.aws import made
from twinwall.cli.check import group

GOOD = 'pass tcp any any -> any 443 (msg:"web"; flow:to_server; sid:1;)'
BAD = "pass tcp any any -> any (sid:1;)\npass nonsense any any -> any any (sid:2;)"


def test_a_sound_policy(tmp_path, capsys):
    policy = write_policy(tmp_path / "p.yaml", GOOD)
    assert twinwall("check", policy) == 0
    assert capsys.readouterr().out == f"{policy}: 0 stateless and 1 stateful rules; 0 errors, 0 warnings\n"


def test_every_mistake_of_every_policy(tmp_path, capsys):
    bad, good, missing = (
        write_policy(tmp_path / "bad.yaml", BAD),
        write_policy(tmp_path / "good.yaml", GOOD),
        tmp_path / "no.yaml",
    )
    assert twinwall("check", bad, good, missing) == 3
    printed = capsys.readouterr().out
    assert f"{bad}:4:" in printed
    assert f"{bad}:5:" in printed
    assert "hint: " in printed
    assert f"{bad}: 2 errors, 0 warnings" in printed
    assert f"{good}: 0 stateless and 1 stateful rules; 0 errors" in printed
    assert f"{missing}:1:1: error[file-unreadable]" in printed


def test_a_warning_is_not_an_error(tmp_path, capsys):
    policy = write_policy(tmp_path / "p.yaml", "pass tcp any any -> any 80 (sid:1;)", "stateless")
    assert twinwall("check", policy) == 0
    printed = capsys.readouterr().out
    assert "warning[asymmetric]" in printed
    assert "0 errors, 1 warning\n" in printed


def test_sizes_of_the_tables(tmp_path, capsys):
    assert twinwall("check", "-v", write_policy(tmp_path / "p.yaml", GOOD)) == 0
    printed = capsys.readouterr().out
    assert "  stateless table: 0 rules in" in printed
    assert "  stateful table: 1 rules in" in printed


def test_json(tmp_path, capsys):
    bad, good = write_policy(tmp_path / "bad.yaml", BAD), write_policy(tmp_path / "good.yaml", GOOD)
    assert twinwall("check", "--json", "-v", bad, good) == 3
    first, second = json.loads(capsys.readouterr().out)["policies"]
    assert (first["errors"], first["stateful_rules"]) == (2, None)
    assert {"severity", "code", "message", "file", "line", "column", "hint"} == set(first["diagnostics"][0])
    assert (second["errors"], second["stateful_rules"], second["tables"]["stateful"]["rules"]) == (0, 1, 1)


def test_json_files_are_parts_of_one_export(tmp_path):
    (tmp_path / "folder.json").mkdir()
    folder = str(tmp_path / "folder.json")
    assert group(("a.yaml", "x.json", "b.rules", folder, "y.json")) == [
        ("a.yaml",),
        ("b.rules",),
        (folder,),
        ("x.json", "y.json"),
    ]


def test_an_export_says_how_much_of_it_was_understood(tmp_path, capsys):
    policy = made.policy(StatefulRuleGroupReferences=made.refer("deep"))
    (tmp_path / "policy.json").write_text(json.dumps(policy))
    (tmp_path / "deep.json").write_text(json.dumps(made.group("deep", {"RulesString": GOOD})))
    assert twinwall("check", "-v", tmp_path, "--home-net", "10.0.0.0/8") == 0
    printed = capsys.readouterr().out
    assert " understood, " in printed
    assert "  export: ignored: UpdateToken (2)" in printed
    assert twinwall("check", "-v", "--json", tmp_path / "policy.json", tmp_path / "deep.json", "--home-net", "10.0.0.0/8") == 0
    (only,) = json.loads(capsys.readouterr().out)["policies"]
    assert {"path": "UpdateToken", "treatment": "ignored", "count": 2} in only["export"]


@pytest.mark.parametrize("command", [("check", "-v"), ("--help",), ("check", "--help")])
def test_no_compiler_is_loaded(tmp_path, command):
    policy = [write_policy(tmp_path / "p.yaml", GOOD)] if "--help" not in command else []
    loaded = {name.partition(".")[0] for name in modules_after(*command, *policy)}
    assert not loaded & {"numba", "llvmlite", "rich"}
    if policy == []:
        assert "numpy" not in loaded
