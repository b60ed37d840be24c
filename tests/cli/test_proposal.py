"""What was asked for, what it would change, and whether it would cut off who asks."""

from __future__ import annotations

import pytest

from tests.cli.running import write_policy
from tests.enforce.rig import SOMEBODY
from tests.enforce.test_plan import FakeMachine, made
from twinwall.cli.proposal import Asked, Proposal
from twinwall.enforce.outline import NOTHING
from twinwall.enforce.plan import plan
from twinwall.enforce.session import Session
from twinwall.enforce.ssh import Refusal
from twinwall.live.error import EnforcementError

SESSION = Session.parse("192.0.2.9 40000 198.51.100.1 22")
WORDS = "192.0.2.9:40000 > 198.51.100.1:22"
CUT = Refusal(SESSION, True, f"tcp {WORDS}", "rule 7")
SHUT_OUT = Refusal(SESSION, False, f"tcp {WORDS}", "rule 7")


def asked(path, mode="host", inside=("eth0",)):
    return Asked(str(path), "auto", False, mode, inside, (), (), ())


def proposal(refusal=None, unchecked="", old=None, new=None):
    before = old.outline if old else NOTHING
    return Proposal(plan(old, before, new, FakeMachine("in0", "out0")), refusal, unchecked)


def warnings(given, capsys):
    given.show(every=False)
    return [line for line in capsys.readouterr().out.splitlines() if line.startswith("warning")]


def test_what_was_asked_is_gathered_with_its_interfaces(tmp_path):
    policy = write_policy(tmp_path / "policy.yaml", "pass tcp any any -> any 443 (sid:1;)")
    gathered = asked(policy).gather()
    assert gathered.reading.policy.attach.interfaces == ("eth0",)
    assert gathered.source.attach == gathered.reading.policy.attach


def test_all_mistakes_of_a_policy_are_said_where_they_are_and_nothing_comes_of_it(tmp_path, capsys):
    policy = write_policy(tmp_path / "policy.yaml", "pas tcp any any -> any 443 (sid:1;)\npass tcp any any -> any x (sid:2;)")
    assert asked(policy).gather() is None
    said = capsys.readouterr().err
    assert f"{policy}:4:" in said
    assert f"{policy}:5:" in said


def test_a_plan_that_cuts_the_session_says_so_and_is_refused_with_the_ways_out(capsys):
    given = proposal(CUT, new=made())
    assert warnings(given, capsys) == [f"warning   the SSH connection {WORDS} would be cut: rule 7"]
    with pytest.raises(EnforcementError) as caught:
        given.refuse_cutting(cut_me_off=False)
    assert f"it would cut the SSH connection {WORDS}" in caught.value.cause
    assert f"tcp {WORDS} meets rule 7" in caught.value.cause
    assert "--cut-me-off" in caught.value.remedy
    given.refuse_cutting(cut_me_off=True)


def test_one_that_only_shuts_out_the_next_session_is_warned_of_and_not_refused(capsys):
    given = proposal(SHUT_OUT, new=made())
    assert warnings(given, capsys) == [f"warning   another SSH connection like {WORDS} would be refused: rule 7"]
    given.refuse_cutting(cut_me_off=False)


def test_what_could_not_be_checked_is_said(capsys):
    assert warnings(proposal(new=made()), capsys) == []
    assert warnings(proposal(unchecked="nobody knows", new=made()), capsys) == ["warning   nobody knows"]


def test_the_change_is_the_one_that_was_shown():
    old, new = made(1, 443), made(2, 80)
    change = proposal(old=old, new=new).change("rollback", SOMEBODY, 60.0)
    assert (change.action, change.old, change.new) == ("rollback", old, new)
    assert (change.author, change.confirm_within) == (SOMEBODY, 60.0)
    assert change.rules == {"changed": 1}
