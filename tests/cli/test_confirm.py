"""`twinwall confirm`: what is on trial stays; where nothing is, nothing happens."""

from __future__ import annotations

import os

import pytest

from tests.cli.running import twinwall
from tests.cli.standing import held, outcomes, standing
from twinwall.cli.exit_codes import ExitCode
from twinwall.enforce.lock import Lock
from twinwall.enforce.state import State

pytestmark = pytest.mark.kernel


@pytest.fixture
def on_trial(tmp_path, monkeypatch, capsys):
    with standing(tmp_path, monkeypatch, "--confirm-within", "10m"):
        capsys.readouterr()
        yield


def test_what_is_on_trial_is_named_stays_and_is_what_boots(on_trial, capsys):
    chosen = State().current().chosen
    assert State().confirmed() is None
    assert twinwall("confirm") == ExitCode.FINE
    assert capsys.readouterr().out == f"confirmed: {chosen.name} ({chosen.digest[:12]})\n"
    assert held() == "policy.yaml"
    assert State().confirmed().policy == chosen
    assert outcomes() == [("apply", "on trial"), ("confirm", "done")]
    confirmed = State().confirmed()
    assert twinwall("confirm") == ExitCode.KERNEL, "nothing is left to confirm"
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == "error: confirm: nothing is on trial\n    hint: see `twinwall journal` for what became of it\n"
    assert State().confirmed() == confirmed


def test_while_another_command_changes_the_policy_the_trial_goes_on(on_trial, capsys):
    trial = State().pending()
    with Lock(State().lock, "apply"):
        assert twinwall("confirm", "--no-wait") == ExitCode.KERNEL
    said = capsys.readouterr().err
    assert f"`twinwall apply` (process {os.getpid()})" in said
    assert "    hint: " in said
    assert State().pending() == trial
