from __future__ import annotations

import pytest

from tests.cli.running import modules_after, twinwall, write_policy
from tests.lab.made import outcome, results
from twinwall.cli import lab
from twinwall.lab.messages import Progress


@pytest.fixture
def played(monkeypatch):
    """The command without worlds: what `run_lab` was asked, and what it answers."""
    asked = []
    answers = {"run_lab": results()}

    def run_lab(given, show):
        asked.append(given)
        show(Progress("stateless", "web"))
        return answers["run_lab"]

    monkeypatch.setattr("twinwall.lab.twin.prepare", lambda announce: None)
    monkeypatch.setattr("twinwall.lab.lab.run_lab", run_lab)
    monkeypatch.setattr("twinwall.lab.lab.write_page", lambda show: (answers["run_lab"], "# page\n"))
    return asked, answers


def test_without_a_policy_the_third_is_the_bundled_one(played, capsys):
    assert twinwall("lab") == 0
    assert played[0] == [None]
    printed = capsys.readouterr()
    assert "What should not get in" in printed.out
    assert printed.err == ""


def test_the_policy_is_played(played, tmp_path):
    assert twinwall("lab", write_policy(tmp_path / "mine.yaml", "pass tcp any any -> any 80 (sid:7;)")) == 0
    assert [rule.sid for rule in played[0][0].stateful.rules] == [7]


def test_a_policy_with_mistakes_is_not(played, tmp_path, capsys):
    assert twinwall("lab", write_policy(tmp_path / "mine.yaml", "pass tcp any any -> any nowhere (sid:7;)")) == 3
    assert played[0] == []
    assert "nowhere" in capsys.readouterr().err


def test_a_difference_is_an_exit_code_of_its_own(played):
    odd = outcome("stateless")
    odd.differences.append("web: it")
    played[1]["run_lab"] = results(odd)
    assert twinwall("lab") == 8


def test_the_page_is_written(played, tmp_path):
    assert twinwall("lab", "--report", tmp_path / "page.md") == 0
    assert (tmp_path / "page.md").read_text() == "# page\n"


def test_the_page_is_about_the_bundled_policies(played, tmp_path, capsys):
    policy = write_policy(tmp_path / "mine.yaml", "pass tcp any any -> any 80 (sid:7;)")
    assert twinwall("lab", policy, "--report", tmp_path / "page.md") == 2
    assert "--report" in capsys.readouterr().err


def test_on_a_terminal_one_line_says_what_is_played(monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with lab.Line() as line:
        line.show(Progress("stateless", "web"))
    assert "stateless: web …" in capsys.readouterr().err


def test_help_starts_no_world():
    assert "twinwall.lab.world" not in modules_after("lab", "--help")
