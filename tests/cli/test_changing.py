"""The commands that change the policy, up to where they would touch the kernel: `tests.enforce.test_commands` goes on there."""

import pytest

from tests.cli.running import twinwall, write_policy
from twinwall.cli import apply, boot, confirm, guard, plan, rollback, stop
from twinwall.live.error import EnforcementError

CHANGING = {"plan": plan, "apply": apply, "confirm": confirm, "rollback": rollback, "stop": stop, "boot": boot, "guard": guard}


@pytest.fixture
def unprivileged(monkeypatch):
    def refuse():
        raise EnforcementError("change the policy", "this process may not administer the network", "run it as root (sudo)")

    monkeypatch.setattr("twinwall.enforce.privilege.require_privileges", refuse)


@pytest.mark.parametrize("name", CHANGING)
def test_without_privileges_nothing_happens_and_the_remedy_is_said(name, unprivileged, tmp_path, capsys):
    policy = write_policy(tmp_path / "policy.yaml", "pass tcp any any -> any 443 (sid:1;)")
    arguments = [name, *([policy] if name in ("plan", "apply") else []), "--state", tmp_path / "state"]
    assert twinwall(*arguments) == 5
    assert "run it as root (sudo)" in capsys.readouterr().err
    assert not (tmp_path / "state").exists()
    assert CHANGING[name].command.name == "command"


@pytest.mark.parametrize("name", ["plan", "apply"])
def test_a_policy_with_mistakes_is_reported_first(name, unprivileged, tmp_path, capsys):
    policy = write_policy(tmp_path / "policy.yaml", "pas tcp any any -> any 443 (sid:1;)")
    assert twinwall(name, policy, "--state", tmp_path) == 3
    assert "unknown-action" in capsys.readouterr().err
