"""`twinwall rollback`: what is on trial is taken back at once; else it goes to what was confirmed before, and back."""

from __future__ import annotations

import socket

import pytest

from tests.cli.running import twinwall
from tests.cli.standing import apply_other, held, outcomes, standing, typing
from tests.enforce.test_commands import until, unwatched
from tests.enforce.watched import HERE, THERE
from tests.enforce.world import in_world
from twinwall.cli.exit_codes import ExitCode
from twinwall.enforce.state import State

pytestmark = pytest.mark.kernel


@pytest.fixture
def there(tmp_path, monkeypatch, capsys):
    """The neighbour; `other.yaml` is in force, `policy.yaml` was before it."""
    with standing(tmp_path, monkeypatch) as made:
        apply_other(tmp_path)
        capsys.readouterr()
        yield made


world = pytest.fixture(in_world)


def test_it_goes_back_and_forth(world):
    world.apply("a")
    said = world.twinwall("rollback", "--yes", expect=5)
    assert said.startswith("error: go back: no other policy was confirmed before this one\n    hint: apply another policy, or ")
    world.apply("b")
    for name in ("a", "b", "a"):
        world.twinwall("rollback", "--yes")
        assert world.enforced() == name


def test_it_ends_a_trial_before_its_time(world):
    world.apply("a")
    world.apply("b", "--confirm-within", "1h")
    world.twinwall("rollback")
    assert world.enforced() == "a"
    until(lambda: unwatched(world))


def test_it_can_be_on_trial_itself_and_is_then_taken_back_without_a_question(there, capsys):
    assert twinwall("rollback", "--yes", "--confirm-within", "10m") == ExitCode.FINE
    said = capsys.readouterr().out
    assert "  - stateful  pass tcp any any <> any 22 (sid:90;)" in said
    assert "keep it:  twinwall confirm" in said
    assert held() == "policy.yaml"
    assert twinwall("rollback") == ExitCode.FINE
    assert capsys.readouterr().out.endswith("because it was taken back\n")
    assert held() == "other.yaml"
    assert outcomes()[-2:] == [("rollback", "on trial"), ("restore", "done")]


def test_who_says_no_changes_nothing(there, capsys, monkeypatch):
    before = outcomes()
    with typing(monkeypatch, "n\n"):
        assert twinwall("rollback") == ExitCode.FINE
    assert capsys.readouterr().err.endswith("nothing was changed\n")
    assert (held(), outcomes()) == ("other.yaml", before)


def test_a_policy_of_the_past_that_was_damaged_is_not_put_in_force(there, capsys):
    source = State().policy_folder(State().confirmed().previous.digest) / "source.json"
    source.write_text("{}")
    assert twinwall("rollback", "--yes") == ExitCode.KERNEL
    said = capsys.readouterr().err
    assert str(source) in said
    assert "    hint: " in said
    assert held() == "other.yaml"


def test_one_that_cuts_the_ssh_session_is_refused_unless_that_is_wanted(there, capsys, monkeypatch):
    with there.entered():
        client = socket.socket()
    with socket.create_server((HERE, 22)) as server, client:
        client.settimeout(10)
        client.connect((HERE, 22))
        with server.accept()[0]:
            monkeypatch.setenv("SSH_CONNECTION", f"{THERE} {client.getsockname()[1]} {HERE} 22")
            assert twinwall("rollback", "--yes") == ExitCode.KERNEL
            said = capsys.readouterr().err
            assert f"it would cut the SSH connection {THERE}:{client.getsockname()[1]} > {HERE}:22" in said
            assert "say --cut-me-off (with --confirm-within, so that it comes back)" in said
            assert held() == "other.yaml"
            assert twinwall("rollback", "--yes", "--cut-me-off") == ExitCode.FINE
            assert held() == "policy.yaml"
