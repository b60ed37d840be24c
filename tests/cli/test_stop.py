"""`twinwall stop`: nothing of twinwall is left in the kernel, and what was there comes back with `rollback`."""

from __future__ import annotations

import pytest

from tests.cli.running import twinwall
from tests.cli.standing import apply_other, held, outcomes, standing, typing
from twinwall.cli.exit_codes import ExitCode
from twinwall.enforce.state import State

pytestmark = pytest.mark.kernel


@pytest.fixture
def filtering(tmp_path, monkeypatch, capsys):
    with standing(tmp_path, monkeypatch):
        capsys.readouterr()
        yield


def test_who_says_no_changes_nothing_and_who_says_yes_is_told_what_goes(filtering, capsys, monkeypatch):
    before = outcomes()
    with typing(monkeypatch, "n\n"):
        assert twinwall("stop") == ExitCode.FINE
    said = capsys.readouterr().err
    assert "Stop filtering?" in said
    assert said.endswith("nothing was changed\n")
    assert (held(), outcomes()) == ("policy.yaml", before)
    assert twinwall("stop", "--yes") == ExitCode.FINE
    said = capsys.readouterr().out
    assert "nftables   every table of twinwall is removed" in said
    assert said.endswith("in force: no policy\n")
    assert held() == ""
    assert State().confirmed().policy is None
    assert outcomes()[-1] == ("stop", "done")


def test_a_stop_on_trial_can_be_taken_back(filtering, capsys):
    assert twinwall("stop", "--yes", "--confirm-within", "10m") == ExitCode.FINE
    assert "on trial until " in capsys.readouterr().out
    assert held() == ""
    assert twinwall("rollback") == ExitCode.FINE
    assert "restored: " in capsys.readouterr().out
    assert held() == "policy.yaml"


def test_a_trial_has_to_be_ended_first(filtering, tmp_path, capsys):
    apply_other(tmp_path, "--confirm-within", "10m")
    capsys.readouterr()
    assert twinwall("stop", "--yes") == ExitCode.KERNEL
    said = capsys.readouterr()
    assert said.out == "", "no plan of what is refused"
    assert "other.yaml" in said.err
    assert " is on trial until " in said.err
    assert "    hint: say `twinwall confirm` or `twinwall rollback` first\n" in said.err
    assert held() == "other.yaml"


def test_what_this_state_folder_does_not_know_goes_too_and_that_is_said(filtering, tmp_path, capsys):
    assert twinwall("stop", "--yes", "--state", tmp_path / "elsewhere") == ExitCode.FINE
    said = capsys.readouterr()
    assert said.err.startswith("warning: ")
    assert "in force: no policy" in said.out
    assert held() == ""
